// What is under way: blocks in flight, the range requests that bring them, and who wants them.
// Plain records. Every field is guarded by the engine's lock unless it says otherwise.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "fetch/buffer_pool.h"
#include "fetch/pending_read.h"
#include "lazyvol/error.h"
#include "lazyvol/request.h"

namespace lazyvol::fetch {

class Attempt;
class ContentImpl;
struct Request;

struct Waiter {
  std::shared_ptr<PendingRead> read;
  Piece piece;
};

/// One Content::want(): walks over its blocks, a bounded number of them in flight at a time.
/// Like a PendingRead, its last reference must not be dropped under the engine's lock.
struct WantOp {
  std::shared_ptr<ContentImpl> content;  // constant
  RequestContext context;                // constant
  std::function<void(Status)> done;      // moved out when finished
  std::uint64_t next = 0, end = 0;       ///< blocks not yet looked at
  std::set<std::uint64_t> joined;        ///< blocks that it waits for
  std::optional<Error> error;            ///< the first one
  bool finished = false;
  std::optional<std::stop_callback<std::function<void()>>>
      on_stop;  // set once, before it is shared
};

/// A block that somebody asked the source for, until it is stored.
struct Flight {
  std::shared_ptr<Request> request;    ///< that will bring it; null once it arrived, or parked
  std::shared_ptr<BlockBuffer> bytes;  ///< set once it arrived whole
  std::uint64_t arrival = 0;           ///< number in State::unstored; 0 = not in it
  bool storing = false;                ///< the cache is at it now
  bool kept = false;                   ///< arrived, but the cache would not take it
  std::vector<Waiter> waiters;         ///< readers; none once it arrived
  std::vector<std::shared_ptr<WantOp>> wants;  ///< until it is stored

  bool wanted() const { return !waiters.empty() || !wants.empty(); }
  /// Waits for the end of a whole-object stream that has passed its place.
  bool parked() const { return !request && !bytes; }
};

/// One range of blocks of one content that is asked for in one go, and again until all of it came.
/// Every block of [first, end) has a Flight that points here; except in a whole-object stream,
/// which makes its flights as it passes.
struct Request {
  enum class State { idle, queued, delayed, active };

  std::shared_ptr<ContentImpl> content;  // constant
  std::uint64_t first = 0, end = 0;      ///< blocks still to come; whole: first = next to be opened
  Priority priority = Priority::reader;
  std::uint64_t age = 0;  ///< smaller is older
  Cause cause = Cause::read;
  std::uint32_t pid = 0;
  bool whole = false;  ///< the server sends everything from byte 0
  State state = State::idle;

  std::shared_ptr<BlockBuffer> partial;  ///< between attempts: block `first`, begun
  std::uint32_t partial_length = 0;      ///< bytes of it that came
  std::uint64_t reserved = 0;            ///< budget held for blocks that have no buffer yet
  std::shared_ptr<Attempt> attempt;      ///< while active

  std::uint32_t retries = 0;              ///< since the last progress
  base::Monotonic created{}, progress{};  ///< progress: last byte, or first start
  base::Monotonic due{};                  ///< while delayed
  std::uint64_t furthest = 0;             ///< whole: blocks passed by the best attempt so far
};

/// The flights of one content.
struct ContentFlights {
  std::unordered_map<std::uint64_t, Flight> blocks;
  std::map<std::uint64_t, Request*> queued;  ///< by first block, those that may be merged
  std::shared_ptr<Request> whole;            ///< the whole-object stream, while there is one
  std::uint32_t active = 0;                  ///< requests in flight
  /// The last failure, remembered for a moment: no storm of refusals, and no second deadline for
  /// the page that the kernel asks for again when its readahead failed.
  std::optional<Error> failed;
  base::Monotonic failed_until{};

  Flight* find(std::uint64_t block) {
    auto it = blocks.find(block);
    return it == blocks.end() ? nullptr : &it->second;
  }
};

}  // namespace lazyvol::fetch
