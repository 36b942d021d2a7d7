#include "git/git_origins.h"

#include <utility>

namespace lazyvol::git {

void GitOrigins::Slot::release() {
  state.lock()->taken = false;
  changed.notify_all();
}

Result<std::shared_ptr<GitOrigin>> GitOrigins::open(const model::SourceUrl& url,
                                                    const model::MountOptions& options) {
  std::shared_ptr<Slot> slot;
  {
    auto slots = slots_.lock();
    auto& known = (*slots)[GitOrigin::mirror_name(url, options)];
    if (!known) known = std::make_shared<Slot>();
    slot = known;
  }
  {
    auto state = slot->state.lock();
    std::shared_ptr<GitOrigin> shared;
    slot->changed.wait(state.native(), [&] {
      shared = state->origin.lock();
      return shared || !state->taken;
    });
    if (shared) return shared;
    state->taken = true;
  }
  auto opened = GitOrigin::open(url, options, directory_, environment_);
  if (!opened.ok()) {
    slot->release();
    return opened;
  }
  // The slot is free only when the threads and processes of the last user's have ended.
  std::shared_ptr<GitOrigin> inner = *std::move(opened);
  GitOrigin* const plain = inner.get();
  auto shared = std::shared_ptr<GitOrigin>(plain, [slot, inner](GitOrigin*) mutable {
    inner.reset();
    slot->release();
  });
  inner.reset();
  slot->state.lock()->origin = shared;
  slot->changed.notify_all();
  return shared;
}

}  // namespace lazyvol::git
