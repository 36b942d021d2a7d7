// A whole small object of a source in memory, retried: heads, indexes of packs, single frames.
//
// Thread rule: thread-safe; the callback comes once, on a thread of the source's or the timer's.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/timer.h"
#include "lazyvol/error.h"
#include "lazyvol/source.h"
#include "net/retry.h"

namespace lazyvol::source {

struct ReadObject {
  std::string path;
  std::uint64_t offset = 0;
  /// At most this many bytes from `offset` on; an object that is longer gives its first bytes when
  /// `cut` is set, else too_large.
  std::uint64_t limit = 0;
  bool cut = false;
};

struct Object {
  std::string bytes;
  std::string validator;         ///< of the version that was read
  std::uint64_t total_size = 0;  ///< of the whole object
};

/// Reads in one request when all goes well; retries what is_transient() says, as net::next_retry()
/// has it, within ctx.no_progress. Any version of the object will do, but one only: when it changes
/// between two attempts the read begins anew. Errors: those of Source::read; too_large; corrupt
/// when fewer bytes came than were promised.
void read_object(const std::shared_ptr<Source>& source, base::TimerQueue& timer, ReadObject what,
                 RequestContext ctx, std::function<void(Result<Object>)> done);

/// The same, waiting for the answer: for tools. Not from a thread of the source's or the timer's.
Result<Object> read_object_now(const std::shared_ptr<Source>& source, base::TimerQueue& timer,
                               ReadObject what, RequestContext ctx);

}  // namespace lazyvol::source
