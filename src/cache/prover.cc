#include "cache/prover.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/workers.h"
#include "cache/object_content.h"

namespace lazyvol::cache {
namespace {

using std::chrono::milliseconds;
constexpr int kMaxTries = 5;
constexpr milliseconds kAgainAfter{1'000};  // a commit's interval
constexpr std::size_t kMaxQueue = 1'024;  // each holds its object's rows; more are asked for again
constexpr milliseconds kLongestPause{200};

base::Monotonic now() {
  return base::system_clock().now();
}

}  // namespace

void Prover::add(std::shared_ptr<ObjectContent> content) {
  auto state = state_.lock();
  const auto same = [&](const Item& item) { return item.content == content; };
  if (state->stopping || state->current == content || state->queue.size() >= kMaxQueue ||
      std::any_of(state->queue.begin(), state->queue.end(), same)) {
    return;
  }
  state->queue.push_back({.content = std::move(content)});
  if (!state->thread.joinable()) {
    state->thread = std::thread([this] {
      base::name_this_thread("lv-prove");
      run();
    });
  }
  wake_.notify_one();
}

void Prover::stop() {
  std::deque<Item> dropped;  // outside the lock: the last holder of a content runs its end
  std::thread thread;
  {
    auto state = state_.lock();
    state->stopping = true;
    dropped.swap(state->queue);
    thread.swap(state->thread);
  }
  wake_.notify_all();
  if (thread.joinable()) thread.join();
}

void Prover::run() {
  for (;;) {
    Item item;
    {
      auto state = state_.lock();
      wake_.wait(state.native(), [&] { return state->stopping || !state->queue.empty(); });
      const auto due = [&] { return state->queue.front().due; };
      while (!state->stopping && due() > now()) wake_.wait_until(state.native(), due());
      if (state->stopping) return;
      item = std::move(state->queue.front());
      state->queue.pop_front();
      state->current = item.content;
    }
    auto since = now();
    const Status status = item.content->prove([&] {
      const bool on = pause(since);
      since = now();
      return on;
    });
    auto state = state_.lock();
    const auto done = std::exchange(state->current, nullptr);
    if (!status.ok() && status.error().code == Code::busy && ++item.tries < kMaxTries &&
        !state->stopping) {
      item.due = now() + kAgainAfter;
      state->queue.push_back(std::move(item));
    }
    state.unlock();
  }
}

/// Rests for as long as was worked since `since`. False when it is time to end.
bool Prover::pause(base::Monotonic since) {
  const auto worked = std::min<base::Monotonic::duration>(now() - since, kLongestPause);
  auto state = state_.lock();
  wake_.wait_for(state.native(), worked, [&] { return state->stopping; });
  return !state->stopping;
}

}  // namespace lazyvol::cache
