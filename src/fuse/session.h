// One FUSE mount: kernel requests ↔ Volume. Only translates.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "fuse/open_by.h"
#include "lazyvol/error.h"
#include "lazyvol/volume.h"

namespace lazyvol::fuse {

struct SessionOptions {
  std::filesystem::path mountpoint;
  std::string fsname;  ///< shown as the source in /proc/mounts; no secrets
  bool allow_other = false;
  bool default_permissions = true;
  bool noexec = false;
  OpenBy open = OpenBy::passthrough;
  unsigned threads = 4;           ///< FUSE workers: they answer hits inline and never wait
  unsigned readahead_kib = 1024;  ///< of the kernel, set in /sys/class/bdi after the mount
};

struct SessionStats {
  std::uint64_t requests = 0, errors = 0, interrupted = 0, waiting = 0;
  bool passthrough = false;        ///< the kernel reads wholly cached files by itself
  std::string passthrough_reason;  ///< why not
  std::uint64_t passed_opens = 0;  ///< answered so
  std::uint64_t passed_files = 0;  ///< open so now
};

/// Served while it lives: its end unmounts, and fails what still uses it. Thread-safe.
class Session {
 public:
  /// Mounts and starts the workers. `on_unmounted` is called once, from a worker, when the kernel
  /// ends the session by itself (umount(8)); the owner then destroys the Session elsewhere.
  /// Errors: not_found / not_directory / invalid_argument (a symlink) / busy (already a lazyvol
  /// mount) for the mountpoint, access_denied (no /dev/fuse, no fusermount3, allow-other not
  /// permitted), each with the fix.
  static Result<std::unique_ptr<Session>> mount(std::shared_ptr<Volume> volume,
                                                SessionOptions options,
                                                std::function<void()> on_unmounted);
  /// Without `lazy`: unmounts and joins. With it: hides the mount now and returns; who uses it goes
  /// on until the last one is done, then on_unmounted is called. Errors: busy (without `lazy`).
  virtual Status unmount(bool lazy) = 0;
  /// False once the mount is no longer in the kernel's table: what uses it still is served.
  virtual bool visible() const = 0;
  virtual SessionStats stats() const = 0;
  virtual ~Session() = default;
};

}  // namespace lazyvol::fuse
