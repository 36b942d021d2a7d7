#include "base/workers.h"

#include <pthread.h>

namespace lazyvol::base {

void name_this_thread(const std::string& name) {
  pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
}

Workers::Workers(std::string name, std::size_t threads) {
  threads_.reserve(threads);
  for (std::size_t i = 0; i < threads; ++i) {
    threads_.emplace_back([this, label = name + "-" + std::to_string(i)] { run(label); });
  }
}

Workers::~Workers() {
  stop();
}

bool Workers::submit(std::function<void()> task) {
  auto state = state_.lock();
  if (state->stopping) return false;
  state->tasks.push_back(std::move(task));
  // Within the lock: what the task brings about may be the end of these workers, which waits for
  // it.
  wake_.notify_one();
  return true;
}

void Workers::stop() {
  state_.lock()->stopping = true;
  wake_.notify_all();
  for (auto& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

std::size_t Workers::queued() const {
  return state_.lock()->tasks.size();
}

void Workers::run(const std::string& name) {
  name_this_thread(name);
  for (;;) {
    std::function<void()> task;
    {
      auto state = state_.lock();
      wake_.wait(state.native(), [&] { return state->stopping || !state->tasks.empty(); });
      if (state->tasks.empty()) return;
      task = std::move(state->tasks.front());
      state->tasks.pop_front();
    }
    task();
  }
}

}  // namespace lazyvol::base
