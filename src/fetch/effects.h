// What a change of the engine's state asks for, done after its lock was released.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "fetch/attempt.h"
#include "fetch/content.h"
#include "fetch/flight.h"

namespace lazyvol::fetch {

/// Collected under the lock, performed without it: callbacks, the source and the cache are never
/// called with the lock held. It also holds what must not be destroyed under the lock (whose
/// destructors wait for stop callbacks, or come back to the engine).
struct Effects {
  struct Delivery {
    Waiter waiter;
    std::shared_ptr<BlockBuffer> bytes;
  };
  struct Failure {
    std::shared_ptr<ContentImpl> content;
    std::shared_ptr<PendingRead> read;
    Error error;
  };
  struct Store {
    std::shared_ptr<ContentImpl> content;
    std::uint64_t block = 0;
  };

  std::vector<Delivery> deliveries;
  std::vector<Failure> failures;
  std::vector<Store> stores;
  std::vector<std::pair<std::shared_ptr<WantOp>, Status>> wants_done;
  std::vector<std::shared_ptr<WantOp>> advances;
  std::vector<std::shared_ptr<Attempt>> stops, resumes;
  std::vector<std::pair<std::shared_ptr<Transfer>, Priority>> hurries;
  std::vector<std::shared_ptr<ContentImpl>> stale;
  // only to be destroyed
  std::vector<Flight> flights;
  std::vector<std::shared_ptr<void>> garbage;

  bool empty() const {
    return deliveries.empty() && failures.empty() && stores.empty() && wants_done.empty() &&
           advances.empty() && stops.empty() && resumes.empty() && hurries.empty() &&
           stale.empty() && flights.empty() && garbage.empty();
  }
};

}  // namespace lazyvol::fetch
