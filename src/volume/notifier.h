// Hands changes to the volume's ChangeListener.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>

#include "base/locked.h"
#include "base/workers.h"
#include "lazyvol/volume.h"
#include "volume/tree.h"

namespace lazyvol::volume {

/// Calls the listener from a worker, with no lock held. Thread-safe. Tasks keep what they need
/// alive, so the notifier may go away before them.
class Notifier {
 public:
  /// `work` must outlive the notifier.
  explicit Notifier(base::Workers& work) : work_(work), shared_(std::make_shared<Shared>()) {}

  /// `told` (may be null) is called when the listener is done with all of it, or is not there.
  void post(TreeChanges changes, std::function<void()> told = nullptr);
  /// As Volume::listen.
  void listen(ChangeListener* listener);

 private:
  struct State {
    ChangeListener* listener = nullptr;
    std::uint64_t calls = 0;  // under way
  };
  struct Shared {
    base::Locked<State> state;
    std::condition_variable idle;
  };
  static void tell(Shared& shared, const TreeChanges& changes, std::function<void()> told);

  base::Workers& work_;
  std::shared_ptr<Shared> shared_;
};

}  // namespace lazyvol::volume
