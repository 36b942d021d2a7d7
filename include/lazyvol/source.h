// A Source is a place that a volume's tree comes from. Write one to teach lazyvol a new origin.
//
// Contract for every implementation (tests/source/conformance.h checks it):
//  * Every method returns at once; the answer comes through the callback, exactly once, on a thread
//    of the source's choosing (possibly inline). Callbacks may call the source again; they do not
//    block.
//  * Paths are volume-relative raw bytes, components joined by '/', no leading or trailing slash;
//    "" is the root. A source never reaches outside its root, whatever the path.
//  * Methods are thread-safe and may run concurrently without limit; a source bounds itself.
//  * Absence needs proof: Code::not_found only when the origin itself said so.
//  * Retrying is done by the source for list() and stat() (bounded by RequestContext::no_progress)
//    and by the caller for read(), which knows what has already arrived.
//  * When ctx.stop is requested the callback comes soon with Code::cancelled.
//  * What a source is given (sinks, callbacks) keeps nothing alive once it was answered, and a
//    volume lets go of its source only after all callbacks have returned, never from within one. So
//    a source may own the threads that call back, and join them in its destructor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lazyvol/entry.h"
#include "lazyvol/error.h"
#include "lazyvol/request.h"

namespace lazyvol {

/// A directory as it was at one moment.
struct Listing {
  bool not_modified = false;  ///< the directory is as `known_validator` said; entries is empty
  std::vector<RemoteEntry> entries;  ///< unique names, any order
  std::string validator;             ///< for the next conditional list(); empty = none
  std::uint64_t refused = 0;         ///< names that were left out because they are not valid_name()
  /// Names that begin with '.' may exist without being listed (nginx, Apache and lighttpd leave
  /// them out): for them the listing proves no absence, and stat() has to be asked.
  bool hides_dot_names = false;
};

/// What read() is about to deliver.
struct ReadStart {
  std::string validator;         ///< of the object that is being read; never empty
  std::uint64_t offset = 0;      ///< of the first byte delivered: 0 when ranges are unsupported
  std::uint64_t length = 0;      ///< bytes that will follow
  std::uint64_t total_size = 0;  ///< of the whole object
};

enum class Flow { proceed, pause, abort };

/// Receives one read. Calls come one at a time, in order: on_start, on_data*, on_done.
/// on_done comes exactly once in any case, also without on_start.
class ReadSink {
 public:
  virtual ~ReadSink() = default;
  /// Return abort to refuse (on_done then follows with Code::cancelled).
  virtual Flow on_start(const ReadStart& start) = 0;
  /// `data` is valid during the call only and has been consumed when it returns. pause stops the
  /// flow until Transfer::resume().
  virtual Flow on_data(std::span<const std::byte> data) = 0;
  /// Success means that every byte promised by ReadStart was delivered.
  virtual void on_done(Status status) = 0;
  /// The source is getting on, though there is nothing to deliver yet (a whole object comes before
  /// its first byte can be given): deadlines count from here. From any thread, beside the others.
  virtual void on_progress() {}
};

/// A read under way. Thread-safe; may outlive the read (calls are then without effect).
class Transfer {
 public:
  virtual ~Transfer() = default;
  virtual void resume() = 0;
  /// Somebody waits for it now who is as urgent as that. For whoever holds less urgent reads back.
  virtual void hurry(Priority) {}
};

struct ReadRequest {
  std::string path;
  /// The version wanted. The source makes the request conditional where the origin can, and
  /// compares the answer in any case: another version gives Code::stale. Empty accepts any.
  std::string validator;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;  ///< > 0
};

/// What a source is, for messages and for `lazyvol status`.
struct SourceTraits {
  std::string scheme;   ///< "http", "dir", …
  std::string display;  ///< the source without any credential
  /// What the origin tells and can do, each in a word or two: "modes", "conditional reads", …
  std::vector<std::string> capabilities = {};
};

class Source {
 public:
  using ListDone = std::function<void(Result<Listing>)>;
  using StatDone = std::function<void(Result<RemoteEntry>)>;

  virtual ~Source() = default;
  virtual SourceTraits traits() const = 0;

  /// Lists the directory `path`. With `known_validator` from an earlier Listing the answer may be
  /// not_modified. Errors: not_found, not_directory, access_denied, unreachable, timed_out, …;
  /// io_error when what came is not a listing; too_large past a limit.
  virtual void list(std::string path, std::string known_validator, RequestContext ctx,
                    ListDone done) = 0;

  /// Describes one entry with everything that the origin knows: for a file, size and validator are
  /// always set on success. `path` "" describes the root. The answer's name is the last component.
  virtual void stat(std::string path, RequestContext ctx, StatDone done) = 0;

  /// Reads part of a file. One attempt, no retry. `sink` is kept until its on_done has returned.
  virtual std::shared_ptr<Transfer> read(ReadRequest request, std::shared_ptr<ReadSink> sink,
                                         RequestContext ctx) = 0;

  /// Says that these files are likely to be asked for soon, by stat() or read(). A source that has
  /// many things at the price of one takes them along with what is asked for next; most do nothing.
  virtual void expect([[maybe_unused]] std::vector<std::string> paths) {}
};

}  // namespace lazyvol
