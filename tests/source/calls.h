// Source calls that wait for their answer, and the machinery that a Source needs to run.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/timer.h"
#include "base/workers.h"
#include "lazyvol/source.h"
#include "net/http_engine.h"
#include "source/registry.h"

namespace lazyvol::source {

/// One process's worth of shared machinery. Destroy the sources first.
class Rig {
 public:
  Rig();
  ~Rig();
  SourceEnvironment environment();
  /// Parses `url` and makes its source; fails the test when either fails.
  std::shared_ptr<Source> open(const std::string& url, const model::MountOptions& options = {});
  base::TimerQueue& timer() { return timer_; }
  base::Workers& blocking() { return blocking_; }
  BandwidthLimit& bandwidth() { return bandwidth_; }

 private:
  base::TimerQueue timer_;
  base::Workers blocking_{"test-block", 4};
  BandwidthLimit bandwidth_;
  std::optional<net::HttpEngine> http_;
};

/// How one read went.
struct ReadOutcome {
  std::optional<ReadStart> start;
  std::string bytes;
  Status status;
  int done_calls = 0;
};

/// Collects a read. Each call can be steered: what on_start and on_data return.
class CollectingSink : public ReadSink {
 public:
  std::function<Flow(const ReadStart&)> start_flow = [](const ReadStart&) { return Flow::proceed; };
  /// Gets the bytes collected so far.
  std::function<Flow(std::size_t)> data_flow = [](std::size_t) { return Flow::proceed; };

  Flow on_start(const ReadStart& start) override;
  Flow on_data(std::span<const std::byte> data) override;
  void on_done(Status status) override;

  /// Waits for on_done.
  ReadOutcome wait();
  /// Waits until at least `bytes` were collected; false when the read ended first.
  bool wait_for(std::size_t bytes);

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  ReadOutcome outcome_;
};

Result<Listing> list(Source& source, const std::string& path, RequestContext ctx = {},
                     const std::string& known = {});
Result<RemoteEntry> stat(Source& source, const std::string& path, RequestContext ctx = {});
ReadOutcome read(Source& source, const std::string& path, const std::string& validator,
                 std::uint64_t offset, std::uint64_t length, RequestContext ctx = {});

/// The code of a failure; nullopt for success.
template <class T>
std::optional<Code> code_of(const Result<T>& result) {
  return result.ok() ? std::nullopt : std::optional(result.error().code);
}

/// The entry of that name, or nullptr.
const RemoteEntry* find(const Listing& listing, const std::string& name);

}  // namespace lazyvol::source
