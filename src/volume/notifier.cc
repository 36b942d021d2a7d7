#include "volume/notifier.h"

#include <utility>

namespace lazyvol::volume {

void Notifier::post(TreeChanges changes, std::function<void()> told) {
  if (changes.empty()) {
    if (told) told();
    return;
  }
  const bool taken = work_.submit(
      [shared = shared_, what = std::move(changes), told] { tell(*shared, what, told); });
  if (!taken && told) told();
}

void Notifier::tell(Shared& shared, const TreeChanges& changes, std::function<void()> told) {
  ChangeListener* listener = nullptr;
  {
    auto state = shared.state.lock();
    listener = state->listener;
    if (listener != nullptr) ++state->calls;
  }
  if (listener == nullptr) {
    if (told) told();
    return;
  }
  for (const auto& [directory, name] : changes.entries) listener->entry_changed(directory, name);
  for (const NodeId id : changes.nodes) listener->node_changed(id);
  if (told) listener->settle(std::move(told));
  auto state = shared.state.lock();
  if (--state->calls == 0) shared.idle.notify_all();
}

void Notifier::listen(ChangeListener* listener) {
  auto state = shared_->state.lock();
  state->listener = listener;
  shared_->idle.wait(state.native(), [&] { return state->calls == 0; });
}

}  // namespace lazyvol::volume
