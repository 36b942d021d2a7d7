#include "net/mailbox.h"

#include <utility>

namespace lazyvol::net {

Mailbox::Mailbox(CURLM* multi) {
  state_.lock()->multi = multi;
}

void Mailbox::wake(State& state) {
  if (state.woken) return;
  state.woken = true;
  curl_multi_wakeup(state.multi);
}

bool Mailbox::post(Command& command) {
  auto state = state_.lock();
  if (state->multi == nullptr) return false;
  state->commands.push_back(std::move(command));
  wake(*state);
  return true;
}

void Mailbox::request_stop() {
  auto state = state_.lock();
  state->stopping = true;
  // Also when woken: the thread may be past its look at stopping(), on its way to take() and sleep.
  if (state->multi != nullptr) curl_multi_wakeup(state->multi);
}

std::vector<Command> Mailbox::take() {
  auto state = state_.lock();
  state->woken = false;
  return std::exchange(state->commands, {});
}

bool Mailbox::stopping() const {
  return state_.lock()->stopping;
}

std::vector<Command> Mailbox::close() {
  auto state = state_.lock();
  state->multi = nullptr;
  return std::exchange(state->commands, {});
}

}  // namespace lazyvol::net
