// One read of bytes that are in memory.
#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "base/locked.h"
#include "base/workers.h"
#include "lazyvol/source.h"

namespace lazyvol::git {

/// Hands them to a sink on a worker; a paused one holds no thread. Thread-safe.
class MemoryRead : public Transfer, public std::enable_shared_from_this<MemoryRead> {
 public:
  /// `bytes` is the whole object, `request` has been checked. `workers` outlives it.
  static std::shared_ptr<MemoryRead> start(std::string bytes, const ReadRequest& request,
                                           std::string validator, std::shared_ptr<ReadSink> sink,
                                           std::stop_token stop, base::Workers& workers);
  void resume() override;

 private:
  struct State {
    bool running = true;
    bool resumed = false;
    bool stopped = false;
    bool done = false;
  };
  MemoryRead(std::string bytes, const ReadRequest& request, std::string validator,
             std::shared_ptr<ReadSink> sink, base::Workers& workers);
  void submit();
  void run();
  void stopped();
  void finish(Status status);

  const std::string bytes_;
  ReadStart start_;
  const std::shared_ptr<ReadSink> sink_;
  base::Workers& workers_;
  bool started_ = false;  // touched by whoever runs
  base::Locked<State> state_;
  std::optional<std::stop_callback<std::function<void()>>> on_stop_;
};

}  // namespace lazyvol::git
