// What the parts of one published volume share.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fetch/published_fetcher.h"
#include "lazyvol/source.h"
#include "model/options.h"
#include "volume/access_recorder.h"
#include "volume/activity.h"
#include "volume/mounted_volume.h"
#include "volume/notifier.h"
#include "volume/published_current.h"
#include "volume/published_objects.h"
#include "volume/published_readahead.h"
#include "volume/published_trust.h"
#include "volume/published_view.h"

namespace lazyvol::volume {

struct PublishedCounters {
  std::atomic<std::uint64_t> failures{0};  ///< of metadata
  std::atomic<std::uint64_t> refreshes{0}, refresh_failures{0}, switches{0};
};

/// Thread-safe; kept alive by everything that is under way.
class PublishedCore {
 public:
  PublishedCore(std::shared_ptr<PublishedTrust> the_trust,
                std::vector<std::shared_ptr<Source>> the_origins,
                const std::shared_ptr<Source>& the_objects, const model::MountOptions& the_options,
                const VolumeEnvironment& environment, const fetch::FetchOptions& fetch_options)
      : options(the_options),
        env(environment),
        origins(std::move(the_origins)),
        trust(std::move(the_trust)),
        fetcher(fetch::PublishedFetcher::make(origins, the_objects, env.fetch, fetch_options)),
        objects(std::make_shared<PublishedObjects>(the_objects)),
        readahead(*fetcher, options.prefetch ? options.max_readahead : 0),
        view(options),
        notifier(env.work) {}

  const model::MountOptions options;
  const VolumeEnvironment env;
  const std::vector<std::shared_ptr<Source>> origins;
  const std::shared_ptr<Activity> activity = std::make_shared<Activity>();
  const std::shared_ptr<AccessRecorder> accesses = std::make_shared<AccessRecorder>();
  const std::shared_ptr<PublishedTrust> trust;
  const std::shared_ptr<fetch::PublishedFetcher> fetcher;
  const std::shared_ptr<PublishedObjects> objects;
  PublishedReadahead readahead;
  const PublishedView view;
  CurrentRevision current;
  Notifier notifier;
  PublishedCounters counters;

  /// `ctx` with this mount's patience.
  RequestContext patient(RequestContext ctx) const {
    ctx.no_progress = options.io_timeout;
    return ctx;
  }
  /// For what the volume does by itself, until it stops.
  RequestContext unattended() const {
    RequestContext ctx = patient({});
    ctx.stop = activity->stop_token();
    return ctx;
  }
  /// Counts a failure of metadata; what nobody waits for any more is none.
  Error failed(Error error) {
    if (error.code != Code::cancelled) ++counters.failures;
    return error;
  }
  /// Runs `task` on a worker; false (and the task is dropped) when the workers stopped.
  bool on_worker(std::function<void()> task) { return env.work.submit(std::move(task)); }
};

}  // namespace lazyvol::volume
