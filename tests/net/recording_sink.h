// A sink that keeps what it is given, and can be waited for.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "net/http_engine.h"

namespace lazyvol::net {

class RecordingSink final : public HttpSink {
 public:
  Flow on_head(const HttpHead& head) override {
    const std::lock_guard lock(mutex_);
    EXPECT_FALSE(head_) << "on_head came twice";
    EXPECT_FALSE(status_) << "on_head came after on_done";
    head_ = head;
    changed_.notify_all();
    return flow_on_head;
  }

  Flow on_data(std::span<const std::byte> data) override {
    const Flow flow = flow_of_data ? flow_of_data(data) : Flow::proceed;
    const std::lock_guard lock(mutex_);
    EXPECT_TRUE(head_) << "data came before the head";
    EXPECT_FALSE(status_) << "data came after on_done";
    if (keep_bytes) bytes_.append(reinterpret_cast<const char*>(data.data()), data.size());
    received_ += data.size();
    changed_.notify_all();
    return flow;
  }

  void on_done(Status status) override {
    if (before_done) before_done();
    const std::lock_guard lock(mutex_);
    EXPECT_FALSE(status_) << "on_done came twice";
    status_ = std::move(status);
    changed_.notify_all();
  }

  /// Waits for on_done. A hang is the test runner's to end.
  Status wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return status_.has_value(); });
    return *status_;
  }
  void wait_for_bytes(std::uint64_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return received_ >= count || status_.has_value(); });
  }
  void wait_for_head() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return head_.has_value() || status_.has_value(); });
  }

  bool done() const {
    const std::lock_guard lock(mutex_);
    return status_.has_value();
  }
  std::optional<HttpHead> head() const {
    const std::lock_guard lock(mutex_);
    return head_;
  }
  int http_status() const { return head() ? head()->status : 0; }
  std::string header(std::string_view name) const {
    const auto all = head();
    const std::string* value = all ? all->headers.find(name) : nullptr;
    return value != nullptr ? *value : "(none)";
  }
  std::string bytes() const {
    const std::lock_guard lock(mutex_);
    return bytes_;
  }
  std::uint64_t received() const {
    const std::lock_guard lock(mutex_);
    return received_;
  }

  // Set before submit().
  Flow flow_on_head = Flow::proceed;
  bool keep_bytes = true;
  std::function<Flow(std::span<const std::byte>)> flow_of_data;
  std::function<void()> before_done;

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<HttpHead> head_;
  std::string bytes_;
  std::uint64_t received_ = 0;
  std::optional<Status> status_;
};

inline HttpRequest get(std::string url) {
  HttpRequest request;
  request.url = std::move(url);
  return request;
}

/// Submits and waits.
inline std::shared_ptr<RecordingSink> fetch(HttpEngine& engine, HttpRequest request,
                                            Status* status) {
  auto sink = std::make_shared<RecordingSink>();
  (void)engine.submit(std::move(request), sink);
  *status = sink->wait();
  return sink;
}

}  // namespace lazyvol::net
