// One who waits for an answer: gets exactly one, whatever happens.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <utility>

#include "lazyvol/error.h"

namespace lazyvol::volume {

/// Owns a callback. It is called once: by finish(), when `stop` is requested, or (Code::cancelled)
/// when the Waiter goes away without an answer. Thread-safe. Finish it with no lock held.
template <class T>
class Waiter : public std::enable_shared_from_this<Waiter<T>> {
 public:
  using Done = std::function<void(Result<T>)>;

  static std::shared_ptr<Waiter> make(std::stop_token stop, Done done) {
    auto waiter = std::shared_ptr<Waiter>(new Waiter(std::move(done)));
    if (stop.stop_possible()) {
      waiter->on_stop_.emplace(std::move(stop), [weak = std::weak_ptr<Waiter>(waiter)] {
        if (auto self = weak.lock()) self->finish(cancelled());
      });
    }
    return waiter;
  }
  ~Waiter() { finish(cancelled()); }
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  void finish(Result<T> result) {
    if (finished_.exchange(true)) return;
    const Done done = std::move(done_);
    done(std::move(result));
  }

 private:
  explicit Waiter(Done done) : done_(std::move(done)) {}
  static Error cancelled() { return {Code::cancelled, "nobody waits for the answer any more"}; }

  std::atomic<bool> finished_{false};
  Done done_;
  std::optional<std::stop_callback<std::function<void()>>> on_stop_;
};

}  // namespace lazyvol::volume
