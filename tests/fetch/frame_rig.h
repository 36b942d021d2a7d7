// A FrameStore with everything that it needs, over origins and a cache that tests control.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "fetch/frame_store.h"
#include "memory_cache.h"
#include "packs.h"
#include "rig.h"

namespace lazyvol::fetch::testing {

/// One get() and its answer.
class FrameAnswer {
 public:
  FrameStore::Done done() {
    return [this](Result<FrameBytes> result) {
      const std::lock_guard lock(mutex_);
      EXPECT_FALSE(result_.has_value()) << "answered twice";
      result_ = std::move(result);
      changed_.notify_all();
    };
  }
  bool answered() const {
    const std::lock_guard lock(mutex_);
    return result_.has_value();
  }
  const Result<FrameBytes>& wait() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, std::chrono::seconds(60), [&] { return result_.has_value(); })) {
      ADD_FAILURE() << "no answer";
      std::abort();
    }
    return *result_;
  }
  /// The bytes of a success; fails the test otherwise.
  std::string bytes() {
    const auto& result = wait();
    if (result.ok()) return **result;
    ADD_FAILURE() << to_string(result.error().code) << ": " << result.error().message;
    return {};
  }
  /// The code of a failure; fails the test otherwise.
  Code code() {
    const auto& result = wait();
    if (!result.ok()) return result.error().code;
    ADD_FAILURE() << "succeeded";
    return Code::out_of_memory;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Result<FrameBytes>> result_;
};

/// One want() and its end.
class WantAnswer {
 public:
  std::function<void(Status)> done() {
    return [this](Status status) {
      const std::lock_guard lock(mutex_);
      EXPECT_FALSE(status_.has_value()) << "ended twice";
      status_ = std::move(status);
      changed_.notify_all();
    };
  }
  bool answered() const {
    const std::lock_guard lock(mutex_);
    return status_.has_value();
  }
  /// Nothing for success.
  std::optional<Code> code() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, std::chrono::seconds(60), [&] { return status_.has_value(); })) {
      ADD_FAILURE() << "no end";
      std::abort();
    }
    return status_->ok() ? std::nullopt : std::optional(status_->error().code);
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Status> status_;
};

template <class SourceType>
class FrameRig {
 public:
  explicit FrameRig(FrameStoreOptions options = defaults(), std::size_t origin_count = 1,
                    std::uint64_t memory = 64 * kMiB)
      : options_(options), memory_(memory) {
    for (std::size_t i = 0; i < origin_count; ++i) {
      origins.push_back(std::make_shared<SourceType>());
    }
    restart();
  }
  ~FrameRig() {
    cache->hold_stores(false);
    store->stop();
    expect_at_rest();
  }

  static FrameStoreOptions defaults() {
    FrameStoreOptions options;
    options.io_timeout = std::chrono::seconds(20);  // no test waits for it unless it says so
    return options;
  }

  /// Another store over the same cache and origins: memory is forgotten.
  void restart() {
    if (store) store->stop();
    store = FrameStore::make({origins.begin(), origins.end()},
                             FetchEnvironment{cache, timer, disk, memory_}, options_);
  }
  /// At every origin.
  Pack put(Pack pack) {
    for (const auto& origin : origins) origin->put(pack.path, pack.bytes);
    return pack;
  }

  std::unique_ptr<FrameAnswer> get(const catalog::FrameRef& frame, FrameUse use = FrameUse::bundle,
                                   RequestContext ctx = {}) {
    auto answer = std::make_unique<FrameAnswer>();
    store->get(frame, use, std::move(ctx), answer->done());
    return answer;
  }
  std::unique_ptr<WantAnswer> want(std::vector<catalog::FrameRef> frames,
                                   FrameUse use = FrameUse::bundle, RequestContext ctx = {}) {
    auto answer = std::make_unique<WantAnswer>();
    store->want(std::move(frames), use, std::move(ctx), answer->done());
    return answer;
  }
  static RequestContext at(Priority priority) {
    RequestContext ctx;
    ctx.priority = priority;
    return ctx;
  }

  FrameStats stats() const { return store->stats(); }
  bool at_rest() const {
    const FrameStats s = stats();
    return s.in_flight_requests == 0 && s.in_flight_bytes == 0 && s.waiting == 0;
  }
  void await_rest() {
    eventually([&] { return at_rest(); }, "all gauges at zero");
  }
  void expect_at_rest() const {
    const FrameStats s = stats();
    EXPECT_EQ(s.in_flight_requests, 0u);
    EXPECT_EQ(s.in_flight_bytes, 0u);
    EXPECT_EQ(s.waiting, 0u);
  }

  std::vector<std::shared_ptr<SourceType>> origins;
  SourceType& origin(std::size_t i = 0) { return *origins[i]; }
  std::shared_ptr<MemoryCache> cache = std::make_shared<MemoryCache>();
  base::TimerQueue timer;
  base::Workers disk{"disk", 2};

 private:
  const FrameStoreOptions options_;
  const std::uint64_t memory_;

 public:
  std::shared_ptr<FrameStore> store;
};

/// `count` frames of about `size` bytes, all different.
inline std::vector<std::string> texts(std::size_t count, std::size_t size, std::uint64_t seed = 1) {
  std::vector<std::string> raw;
  for (std::size_t i = 0; i < count; ++i) raw.push_back(compressible(size + i, seed * 1000 + i));
  return raw;
}

}  // namespace lazyvol::fetch::testing
