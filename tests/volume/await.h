// Waits for the one answer of an asynchronous call.
#pragma once

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <future>
#include <memory>

#include "lazyvol/error.h"

namespace lazyvol::testing {

/// A call that was begun. get() waits for its answer; one that does not come within a minute is a
/// hang and ends the program, so that its stack can be looked at.
template <class T>
class Answer {
 public:
  std::function<void(Result<T>)> done() {
    return [promise = promise_](Result<T> result) { promise->set_value(std::move(result)); };
  }
  bool here() { return future_.wait_for(std::chrono::seconds(0)) == std::future_status::ready; }
  Result<T> get() {
    if (future_.wait_for(std::chrono::minutes(2)) != std::future_status::ready) {
      std::fputs("an answer never came\n", stderr);
      std::abort();
    }
    return future_.get();
  }

 private:
  std::shared_ptr<std::promise<Result<T>>> promise_ = std::make_shared<std::promise<Result<T>>>();
  std::future<Result<T>> future_ = promise_->get_future();
};

}  // namespace lazyvol::testing
