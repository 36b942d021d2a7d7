#include "publish/parallel.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>
#include <vector>

#include "base/locked.h"
#include "base/workers.h"

namespace lazyvol::publish {

unsigned thread_count(unsigned wanted) {
  return std::clamp(wanted == 0 ? std::thread::hardware_concurrency() : wanted, 1U, 64U);
}

Status parallel_for(std::size_t count, unsigned threads, const std::stop_token& stop,
                    const std::function<Status(std::size_t)>& task) {
  std::atomic<std::size_t> next{0};
  std::atomic<bool> failed{false};
  base::Locked<Status> result;
  const auto fail = [&](Error error) {
    auto first = result.lock();
    if (first->ok()) *first = std::move(error);
    failed = true;
  };
  const auto run = [&] {
    for (std::size_t i; !failed && (i = next.fetch_add(1)) < count;) {
      if (stop.stop_requested()) return fail(Error{Code::cancelled, "stopped"});
      if (auto status = task(i); !status.ok()) return fail(std::move(status).error());
    }
  };
  std::vector<std::jthread> helpers;
  for (std::size_t i = 1; i < std::min<std::size_t>(threads, count); ++i) {
    helpers.emplace_back([&] {
      base::name_this_thread("lv-walk");
      run();
    });
  }
  run();
  helpers.clear();  // joins
  return std::move(*result.lock());
}

}  // namespace lazyvol::publish
