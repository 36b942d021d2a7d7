#include "volume/core.h"

#include <unistd.h>

#include <algorithm>

namespace lazyvol::volume {

Core::Core(std::shared_ptr<Source> the_source, const model::MountOptions& the_options,
           const VolumeEnvironment& the_environment, cache::VolumeId volume)
    : source(std::move(the_source)),
      options(the_options),
      env(the_environment),
      content_source(source->traits().display),
      view(options, geteuid(), getegid()),
      tree(env.trees, volume, options.subdir),
      notifier(env.work) {}

bool Core::origin_down() const {
  return health_.lock()->down(env.clock.now());
}

void Core::origin_answered() {
  health_.lock()->succeeded();
}

void Core::origin_failed(const Error& error) {
  ++counters.failures;
  // Nonsense is an answer, too.
  if (is_transient(error.code) && error.code != Code::corrupt)
    health_.lock()->failed(env.clock.now(), error.retry_after);
}

RequestContext Core::shared_context(const RequestContext& asker, bool have_old) const {
  RequestContext shared = asker;
  shared.no_progress =
      have_old ? std::min(options.io_timeout, kWaitWithOldData) : options.io_timeout;
  shared.stop = activity->stop_token();
  return shared;
}

bool may_serve_old(Code code) noexcept {
  switch (code) {
    case Code::access_denied:
    case Code::not_found:
    case Code::not_directory:
    case Code::stale:
    case Code::cancelled:
    case Code::name_too_long:
      return false;
    default:
      return true;
  }
}

}  // namespace lazyvol::volume
