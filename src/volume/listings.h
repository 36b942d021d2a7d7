// Keeps the listings of directories true: single flight, TTL, conditional relisting, old ones while
// the origin cannot be asked.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/locked.h"
#include "volume/core.h"
#include "volume/waiter.h"

namespace lazyvol::volume {

/// A listing that may be used now.
struct Freshness {
  std::chrono::milliseconds left{0};           ///< until it has to be checked again
  bool stale = false;                          ///< expired, and the origin could not be asked
  bool asked = false;                          ///< the origin, by this check or one it waited for
  std::uint64_t changes = 0;                   ///< found by this check
  std::optional<Error> reason = std::nullopt;  ///< why it is stale, when this check found out
};

/// Thread-safe. Callbacks come inline when the listing is fresh, else from a worker or from whoever
/// requests ctx.stop.
class Listings : public std::enable_shared_from_this<Listings> {
 public:
  using Done = std::function<void(Result<Freshness>)>;

  explicit Listings(std::shared_ptr<Core> core) : core_(std::move(core)) {}

  /// Makes sure that the directory's listing is within its TTL, or serves an older one when the
  /// origin cannot be asked. Errors: stale (the directory is gone), the source's when nothing is
  /// known.
  void ensure(NodeId directory, const RequestContext& ctx, Done done);
  /// Asks the origin in any case, with a question that begins after this call.
  void relist(NodeId directory, const RequestContext& ctx, Done done);
  /// Answers everyone who waits with Code::cancelled.
  void cancel_waiters();

 private:
  struct Flight {
    NodeId directory = 0;
    RequestContext ctx;
    bool have_old = false;
    std::int64_t asked_wall_ns = 0;
    std::vector<std::shared_ptr<Waiter<Freshness>>> waiters;
    std::vector<std::shared_ptr<Waiter<Freshness>>> next;  // want a question that begins later
    std::shared_ptr<Activity::Token> token;
  };
  struct State {
    std::unordered_map<NodeId, std::shared_ptr<Flight>> flights;
    std::map<NodeId, OriginHealth> failing;  // bounded by kMaxFailing
  };
  static constexpr std::size_t kMaxFailing = 1024;

  void join(NodeId directory, const RequestContext& ctx, bool begin_later, Done done);
  void start(const std::shared_ptr<Flight>& flight);
  void arrived(const std::shared_ptr<Flight>& flight, Result<Listing> listing);
  void failed(const std::shared_ptr<Flight>& flight, const Error& error);
  void confirm_absence(const std::shared_ptr<Flight>& flight, const Error& error);
  bool still_there(NodeId directory);
  void fall_back(const std::shared_ptr<Flight>& flight, const Error& error);
  void complete(const std::shared_ptr<Flight>& flight, const Result<Freshness>& outcome);
  bool backing_off(NodeId directory) const;
  std::chrono::milliseconds left_of(const cache::DirectoryHeader& header) const;

  const std::shared_ptr<Core> core_;
  base::Locked<State> state_;
};

}  // namespace lazyvol::volume
