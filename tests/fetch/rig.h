// A Fetcher with everything that it needs, over a source and a cache that tests control.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <cstring>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fetch/fetcher.h"
#include "memory_cache.h"

namespace lazyvol::fetch::testing {

inline constexpr std::uint64_t kKiB = 1024, kMiB = 1024 * kKiB;
inline constexpr std::uint64_t kBlock = model::kBlockSize;

/// Reproducible bytes; no two blocks are alike.
inline std::string pattern(std::size_t size, std::uint64_t seed = 1) {
  std::string bytes(size + 8, '\0');
  std::uint64_t x = seed * 0x9E3779B97F4A7C15ULL + 1;
  for (std::size_t i = 0; i < size; i += sizeof x) {
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL + i;
    std::memcpy(bytes.data() + i, &x, sizeof x);
  }
  bytes.resize(size);
  return bytes;
}

/// Part of `bytes`, without a copy: those of a megabyte take most of the time under a sanitizer.
inline std::string_view part_of(std::string_view bytes, std::size_t at, std::size_t size) {
  return bytes.substr(at, size);
}

/// One read and its answer.
class Answer {
 public:
  explicit Answer(std::size_t size) : own_(size), out_(own_) {}
  /// The same into memory of the caller's, which may be used again after the answer.
  explicit Answer(std::span<std::byte> out) : out_(out) {}
  std::span<std::byte> out() { return out_; }
  Content::ReadDone done() {
    return [this](Result<std::size_t> result) {
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
  const Result<std::size_t>& wait() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, std::chrono::seconds(60), [&] { return result_.has_value(); })) {
      ADD_FAILURE() << "no answer";
      std::abort();
    }
    return *result_;
  }
  /// The bytes of a success, which live as long as this; fails the test otherwise.
  std::string_view bytes() {
    const auto& result = wait();
    if (!result.ok()) {
      ADD_FAILURE() << to_string(result.error().code) << ": " << result.error().message;
      return {};
    }
    return {reinterpret_cast<const char*>(out_.data()), *result};
  }
  /// The code of a failure; fails the test otherwise.
  Code code() {
    const auto& result = wait();
    if (result.ok()) {
      ADD_FAILURE() << "succeeded";
      return Code::out_of_memory;
    }
    return result.error().code;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Result<std::size_t>> result_;
  std::vector<std::byte> own_;
  const std::span<std::byte> out_;
};

/// Waits until `condition` holds; fails the test after a generous while.
template <class Condition>
void eventually(Condition condition, const char* what) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) {
      ADD_FAILURE() << "never came: " << what;
      std::abort();
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

template <class SourceType>
class Rig {
 public:
  explicit Rig(FetchOptions options = defaults(), std::uint64_t memory = 64 * kMiB)
      : fetcher(Fetcher::make(source, FetchEnvironment{cache, timer, disk, memory}, options,
                              [this](const ContentRef& ref) {
                                const std::lock_guard lock(mutex_);
                                stale_.push_back(ref.path);
                              })) {}
  ~Rig() {
    cache->hold_stores(false);
    fetcher->stop();
    expect_at_rest();
  }

  static FetchOptions defaults() {
    FetchOptions options;
    options.io_timeout = std::chrono::seconds(20);  // no test waits for it unless it says so
    return options;
  }

  /// A file at the source, opened.
  std::shared_ptr<Content> open(const std::string& path, const std::string& bytes,
                                const std::string& validator = "v1") {
    source->put(path, bytes);
    return fetcher->open(ref(path, bytes.size(), validator));
  }
  static ContentRef ref(const std::string& path, std::uint64_t size,
                        const std::string& validator = "v1") {
    return {path, validator, size, model::live_content_key("test", path, validator)};
  }

  std::unique_ptr<Answer> read(const std::shared_ptr<Content>& content, std::uint64_t offset,
                               std::size_t size, RequestContext ctx = {}) {
    auto answer = std::make_unique<Answer>(size);
    content->read(offset, answer->out(), std::move(ctx), answer->done());
    return answer;
  }

  std::vector<std::string> stale_paths() const {
    const std::lock_guard lock(mutex_);
    return stale_;
  }
  FetchStats stats() const { return fetcher->stats(); }
  bool at_rest() const {
    const FetchStats s = stats();
    return s.in_flight_requests == 0 && s.in_flight_bytes == 0 && s.waiting_reads == 0;
  }
  void await_rest() {
    eventually([&] { return at_rest(); }, "all gauges at zero");
  }
  void expect_at_rest() const {
    const FetchStats s = stats();
    EXPECT_EQ(s.in_flight_requests, 0u);
    EXPECT_EQ(s.in_flight_bytes, 0u);
    EXPECT_EQ(s.waiting_reads, 0u);
  }

  std::shared_ptr<SourceType> source = std::make_shared<SourceType>();
  std::shared_ptr<MemoryCache> cache = std::make_shared<MemoryCache>();
  base::TimerQueue timer;
  base::Workers disk{"disk", 2};

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> stale_;

 public:
  const std::shared_ptr<Fetcher> fetcher;
};

}  // namespace lazyvol::fetch::testing
