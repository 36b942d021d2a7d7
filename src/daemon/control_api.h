// The control API, version 1: which path does what. Described in docs/control-api.md.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>

#include "daemon/control_server.h"
#include "daemon/mount_table.h"
#include "daemon/runtime.h"
#include "daemon/status_json.h"

namespace lazyvol::daemon {

/// Answers control requests. Bodies and answers are JSON objects; unknown fields are refused.
///   GET  /v1/status
///   POST /v1/mount       {source, mountpoint, options}    options as for -o
///   POST /v1/umount      {mountpoint, lazy}
///   POST /v1/refresh     {mountpoint}
///   POST /v1/evict       {mountpoint, path}               path percent-encoded, relative
///   POST /v1/prefetch    {mountpoint, path}               answer: progress as JSON lines
///   POST /v1/profile/record {mountpoint}                  begins to note what is read
///   POST /v1/profile/stop   {mountpoint}                  answer: {"profile": text}
///   POST /v1/profile/replay {mountpoint, file}            answer: progress as JSON lines
///   POST /v1/cache/check {}                               answer: progress as JSON lines
///   POST /v1/cache/trim  {bytes}
///   POST /v1/limits      {options}                        those of a daemon, as for -o
///   POST /v1/stop        {}                               busy while anything is mounted
/// Errors: {"error":{"code","message"}}; in a stream as its last line. Thread-safe.
class ControlApi {
 public:
  /// Both must outlive the API and every stream that it began.
  ControlApi(Runtime& runtime, MountTable& mounts);
  ControlResponse handle(const ControlRequest& request);
  DaemonStatus status() const;

 private:
  ControlResponse mount(const ControlRequest& request);
  ControlResponse umount(const ControlRequest& request);
  ControlResponse refresh(const ControlRequest& request);
  ControlResponse evict(const ControlRequest& request);
  ControlResponse prefetch(const ControlRequest& request);
  ControlResponse record_profile(const ControlRequest& request);
  ControlResponse stop_profile(const ControlRequest& request);
  ControlResponse replay_profile(const ControlRequest& request);
  ControlResponse check(const ControlRequest& request);
  ControlResponse trim(const ControlRequest& request);
  ControlResponse limits(const ControlRequest& request);
  ControlResponse stop(const ControlRequest& request);

  Runtime& runtime_;
  MountTable& mounts_;
  const std::chrono::steady_clock::time_point started_;
  std::shared_ptr<std::atomic<bool>> checking_;  ///< one check at a time
};

}  // namespace lazyvol::daemon
