// What the parts of one live volume share.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "base/locked.h"
#include "lazyvol/source.h"
#include "model/options.h"
#include "volume/access_recorder.h"
#include "volume/activity.h"
#include "volume/live_volume.h"
#include "volume/node_view.h"
#include "volume/notifier.h"
#include "volume/origin_health.h"
#include "volume/tree.h"

namespace lazyvol::volume {

/// While old data can be served instead, one question waits for the origin no longer than this.
inline constexpr std::chrono::milliseconds kWaitWithOldData{2'000};

struct Counters {
  std::atomic<std::uint64_t> lists{0}, stats{0}, not_modified{0}, stale_served{0}, failures{0};
};

/// Thread-safe; kept alive by everything that is under way.
class Core {
 public:
  Core(std::shared_ptr<Source> the_source, const model::MountOptions& the_options,
       const VolumeEnvironment& the_environment, cache::VolumeId volume);

  const std::shared_ptr<Source> source;
  const model::MountOptions options;
  const VolumeEnvironment env;
  const std::string content_source;  ///< the source's part of content keys
  const NodeView view;
  const std::shared_ptr<Activity> activity = std::make_shared<Activity>();
  const std::shared_ptr<AccessRecorder> accesses = std::make_shared<AccessRecorder>();
  Tree tree;
  Notifier notifier;
  Counters counters;

  /// Recent failures make waiting pointless: old data are served at once.
  bool origin_down() const;
  /// Records how a question ended; answers that refuse something count as answers.
  void origin_answered();
  void origin_failed(const Error& error);

  /// The context of a question that several may wait for: ends with the volume, not with one of
  /// them.
  RequestContext shared_context(const RequestContext& asker, bool have_old) const;
  /// Runs `task` on a worker; false (and the task is dropped) when the workers stopped.
  bool on_worker(std::function<void()> task) { return env.work.submit(std::move(task)); }

 private:
  base::Locked<OriginHealth> health_;
};

/// True when the origin could not be asked, so that older knowledge may stand in for its answer.
/// A refusal (access_denied), an absence and a cancellation are answers or nobody's business.
bool may_serve_old(Code code) noexcept;

}  // namespace lazyvol::volume
