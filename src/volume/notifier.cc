#include "volume/notifier.h"

#include <utility>

namespace lazyvol::volume {

void Notifier::post(TreeChanges changes) {
  if (changes.empty()) return;
  work_.submit([shared = shared_, what = std::move(changes)] { tell(*shared, what); });
}

void Notifier::tell(Shared& shared, const TreeChanges& changes) {
  ChangeListener* listener = nullptr;
  {
    auto state = shared.state.lock();
    listener = state->listener;
    if (listener == nullptr) return;
    ++state->calls;
  }
  for (const auto& [directory, name] : changes.entries) listener->entry_changed(directory, name);
  for (const NodeId id : changes.nodes) listener->node_changed(id);
  auto state = shared.state.lock();
  if (--state->calls == 0) shared.idle.notify_all();
}

void Notifier::listen(ChangeListener* listener) {
  auto state = shared_->state.lock();
  state->listener = listener;
  shared_->idle.wait(state.native(), [&] { return state->calls == 0; });
}

}  // namespace lazyvol::volume
