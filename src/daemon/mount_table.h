// The mounts of one daemon: made whole or not at all, and taken away in order.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/locked.h"
#include "daemon/runtime.h"
#include "fuse/session.h"
#include "lazyvol/error.h"
#include "lazyvol/source.h"
#include "model/options.h"
#include "model/profile.h"
#include "model/source_url.h"
#include "volume/mounted_volume.h"

namespace lazyvol::daemon {

inline constexpr std::size_t kMaxMounts = 1024;

struct MountRequest {
  std::string source;      ///< as typed
  std::string mountpoint;  ///< absolute, without symlinks
  model::MountOptions options;
};

/// One mount as `lazyvol status` shows it.
struct MountStatus {
  std::string source;  ///< without credentials
  std::string mountpoint;
  std::string options;  ///< those that differ from the defaults
  std::chrono::seconds age{0};
  SourceTraits traits;
  fuse::SessionStats session;
  volume::VolumeStats volume;
};

/// Thread-safe. Calls block (mounting up to io-timeout): not for FUSE workers.
class MountTable {
 public:
  /// `runtime` must outlive the table.
  explicit MountTable(Runtime& runtime);
  /// As unmount_all().
  ~MountTable();
  MountTable(const MountTable&) = delete;
  MountTable& operator=(const MountTable&) = delete;

  /// Source, volume, kernel mount; a failure at any step undoes those before it.
  /// Errors: invalid_argument (SOURCE), busy (a mount is there already), cancelled (this table
  /// closes: another daemon may be asked),
  /// not_found / not_directory (the mountpoint), too_large (kMaxMounts), and those of
  /// source::make_source or GitOrigin::open, volume::find_layout, the volume's open() and
  /// fuse::Session::mount.
  Status mount(const MountRequest& request);
  /// With `lazy`, a mount in use is hidden and served until its last user is done. Errors:
  /// not_found (no mount of ours there), busy.
  Status unmount(const std::string& mountpoint, bool lazy);
  /// Takes all away, also what is in use, and refuses new ones. Idempotent.
  void unmount_all();
  /// Refuses new mounts from now on if there are none, hidden ones included; else returns false.
  bool close_if_empty();

  /// Sets what `options` has of cache-size, free-space-ratio and download-limit, for the daemon.
  void apply_limits(const model::MountOptions& options);

  /// In order of mountpoints.
  std::vector<MountStatus> list() const;
  /// Errors: not_found.
  Result<std::shared_ptr<volume::MountedVolume>> volume(const std::string& mountpoint) const;
  bool empty() const;

 private:
  enum class Phase { mounting, mounted, unmounting };
  struct Mount {
    std::uint64_t id = 0;
    std::string volume_name;
    std::string source;
    std::string options;
    std::chrono::steady_clock::time_point since;
    // Set once, before Phase::mounted; then constant until the mount leaves the table.
    std::shared_ptr<Source> origin;
    std::shared_ptr<volume::MountedVolume> volume;
    std::shared_ptr<fuse::Session> session;
    // Guarded by the table's lock.
    Phase phase = Phase::mounting;
    bool ended = false;  ///< the kernel ended the session by itself
  };
  using MountPtr = std::shared_ptr<Mount>;
  struct State {
    std::map<std::string, MountPtr> mounts;
    std::vector<MountPtr> hidden;  ///< unmounted lazily, still in use
    std::uint64_t next_id = 1;
    bool closing = false;
  };

  Result<MountPtr> reserve(const MountRequest& request, const std::string& volume_name);
  Status assemble(Mount& mount, const MountRequest& request);
  Result<std::shared_ptr<volume::MountedVolume>> open_git(Mount& mount, const model::SourceUrl& url,
                                                          const model::MountOptions& options);
  Result<std::shared_ptr<volume::MountedVolume>> open_volume(const Mount& mount,
                                                             const model::SourceUrl& url,
                                                             const model::MountOptions& options);
  static void replay(const Mount& mount, model::Profile profile);
  void hide_what_is_gone(const std::string& mountpoint);
  void reap(const std::string& mountpoint, std::uint64_t id);
  static void dismantle(Mount& mount);

  Runtime& runtime_;
  base::Locked<State> state_;
  base::Workers reaper_;  ///< takes away what umount(8) ended; last member: stops first
};

}  // namespace lazyvol::daemon
