// Checks the directories that were used recently against the origin, a few at a time.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/locked.h"
#include "volume/core.h"
#include "volume/listings.h"

namespace lazyvol::volume {

class Refresher : public std::enable_shared_from_this<Refresher> {
 public:
  static constexpr std::size_t kAtOnce = 8;
  using Done = std::function<void(Result<RefreshReport>)>;

  /// As Volume::refresh.
  static void run(std::shared_ptr<Core> core, std::shared_ptr<Listings> listings,
                  RequestContext ctx, Done done);

 private:
  struct State {
    std::vector<NodeId> waiting;  // taken from the back
    std::size_t running = 0;
    RefreshReport report;
    Done done;
  };
  Refresher(std::shared_ptr<Core> core, std::shared_ptr<Listings> listings, RequestContext ctx)
      : core_(std::move(core)), listings_(std::move(listings)), ctx_(std::move(ctx)) {}
  void advance();
  void checked(const Result<Freshness>& outcome);

  const std::shared_ptr<Core> core_;
  const std::shared_ptr<Listings> listings_;
  const RequestContext ctx_;
  base::Locked<State> state_;
};

}  // namespace lazyvol::volume
