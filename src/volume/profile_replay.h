// Fetches what a profile names, in its order, a bounded number of items at a time.
#pragma once

#include <functional>
#include <memory>

#include "base/clock.h"
#include "base/locked.h"
#include "model/profile.h"
#include "volume/mounted_volume.h"

namespace lazyvol::volume {

/// Items that name nothing (another version of the volume) count as failures and stop nothing. An
/// origin that fails kGiveUpAfter times in a row does.
class ProfileReplay : public std::enable_shared_from_this<ProfileReplay> {
 public:
  static constexpr std::size_t kItemsAtOnce = 64;
  static constexpr unsigned kGiveUpAfter = 16;
  static constexpr std::chrono::milliseconds kProgressEvery{100};

  using Progress = std::function<void(const PrefetchProgress&)>;
  using Done = std::function<void(Result<PrefetchProgress>)>;

  /// As Volume::prefetch; priority and cause are set here. Keeps the volume until `done`.
  static void run(std::shared_ptr<MountedVolume> volume, model::Profile profile, RequestContext ctx,
                  Progress progress, Done done);

 private:
  struct State {
    std::size_t next = 0, in_flight = 0;
    bool advancing = false, again = false;  // one thread starts items, so that the stack stays flat
    unsigned failures_in_a_row = 0;
    PrefetchProgress progress;
    base::Monotonic reported{};
    Done done;
  };

  ProfileReplay(std::shared_ptr<MountedVolume> volume, model::Profile profile, RequestContext ctx,
                Progress progress);
  void advance();
  void touched(const model::ProfileItem& item, const Status& status);
  void finish(Result<PrefetchProgress> result);

  const std::shared_ptr<MountedVolume> volume_;
  const model::Profile profile_;
  const RequestContext ctx_;
  const Progress progress_;
  base::Locked<State> state_;
};

}  // namespace lazyvol::volume
