#include "base/timer.h"

#include "base/workers.h"

namespace lazyvol::base {

TimerQueue::TimerQueue() : thread_([this] { run(); }) {}

TimerQueue::~TimerQueue() {
  stop();
}

TimerQueue::Id TimerQueue::after(std::chrono::milliseconds delay, std::function<void()> task) {
  const Monotonic when = system_clock().now() + delay;
  auto state = state_.lock();
  if (state->stopping) return 0;
  const Id id = state->next++;
  state->due.emplace(std::pair(when, id), std::move(task));
  state->when.emplace(id, when);
  wake_.notify_one();  // within the lock: the task may bring about the end of this queue
  return id;
}

bool TimerQueue::cancel(Id id) {
  std::function<void()> dropped;  // destroyed after the lock: its captures may own anything
  auto state = state_.lock();
  auto it = state->when.find(id);
  if (it == state->when.end()) return false;
  auto due = state->due.find({it->second, id});
  dropped = std::move(due->second);
  state->due.erase(due);
  state->when.erase(it);
  state.unlock();
  return true;
}

void TimerQueue::stop() {
  std::map<std::pair<Monotonic, Id>, std::function<void()>> dropped;
  {
    auto state = state_.lock();
    state->stopping = true;
    dropped.swap(state->due);
    state->when.clear();
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void TimerQueue::run() {
  name_this_thread("lv-timer");
  for (;;) {
    std::function<void()> task;
    {
      auto state = state_.lock();
      for (;;) {
        if (state->stopping) return;
        if (state->due.empty()) {
          wake_.wait(state.native());
          continue;
        }
        const Monotonic first = state->due.begin()->first.first;
        if (system_clock().now() >= first) break;
        wake_.wait_until(state.native(), first);
      }
      auto it = state->due.begin();
      task = std::move(it->second);
      state->when.erase(it->first.second);
      state->due.erase(it);
    }
    task();
  }
}

}  // namespace lazyvol::base
