// What a change of the frame engine's state asks for, done after its lock was released.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "fetch/frame_flight.h"
#include "fetch/frame_transfer.h"

namespace lazyvol::fetch {

/// As fetch/effects.h: callbacks, sources and the cache are never called with the lock held, nor is
/// anything destroyed under it whose destructor waits for a stop callback.
struct FrameEffects {
  std::vector<std::pair<std::shared_ptr<PendingFrame>, Result<FrameBytes>>> answers;
  std::vector<std::pair<std::shared_ptr<FrameWant>, Status>> wants_done;
  std::vector<std::shared_ptr<FrameWant>> advances;
  std::vector<std::shared_ptr<FrameTransfer>> stops;
  std::vector<std::pair<std::shared_ptr<Transfer>, Priority>> hurries;
  bool store = false;   ///< a worker shall store what has arrived
  bool rescue = false;  ///< the disk's workers do not verify
  // only to be destroyed
  std::vector<std::shared_ptr<void>> garbage;

  bool empty() const {
    return answers.empty() && wants_done.empty() && advances.empty() && stops.empty() &&
           hurries.empty() && !store && !rescue && garbage.empty();
  }
};

}  // namespace lazyvol::fetch
