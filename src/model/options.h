// Mount options: one table of names for -o, the configuration file and CSI attributes.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lazyvol/error.h"

namespace lazyvol::model {

/// Every option of one mount, with its default. Names and meanings: mount.lazyvol(8).
struct MountOptions {
  std::string cache_dir;                       ///< empty = the default for this user
  std::optional<std::uint64_t> cache_size;     ///< bytes; for the daemon's whole cache
  std::optional<double> free_space_ratio;      ///< for the daemon's whole cache
  std::optional<std::uint64_t> memory_target;  ///< bytes; for the whole daemon
  /// Bytes per second that come from origins; for the whole daemon; 0: no limit.
  std::optional<std::uint64_t> download_limit;
  std::chrono::milliseconds metadata_ttl{60'000};
  std::chrono::milliseconds negative_metadata_ttl{60'000};
  std::chrono::milliseconds io_timeout{10'000};  ///< without progress
  std::uint32_t io_retries = 10;
  std::uint32_t max_connections = 64;          ///< to one host
  std::uint64_t max_readahead = 128ULL << 20;  ///< bytes ahead of a sequential reader
  bool prefetch = true;                        ///< prefetch=auto|none
  std::string prefetch_profile;  ///< path of a profile (model/profile.h) to be fetched at once
  std::string layout = "auto";   ///< auto|published|files
  std::string key;               ///< of the publisher: "ed25519:HEX", or the path of a PEM file
  std::string revision;  ///< of a published volume: its number, or a tag; empty: the present one
  std::chrono::milliseconds refresh{60'000};          ///< of a published volume; 0: never
  std::chrono::milliseconds refresh_timeout{10'000};  ///< without progress
  std::vector<std::string> mirror;                    ///< URLs that hold the same published volume
  std::string credentials;                            ///< path of a TOML file, mode 0600
  std::string ca_cert;                                ///< path of a PEM file of trusted CAs
  std::string endpoint;                               ///< s3: URL of the service; empty = AWS
  std::string region;                                 ///< s3: empty = as AWS's settings say
  std::string profile;                   ///< s3: of AWS's settings; empty = as they say
  std::optional<bool> force_path_style;  ///< s3: the bucket in the path, not in the host
  bool requester_pays = false;           ///< s3: the reader agrees to pay
  bool no_sign_request = false;          ///< s3: anonymous
  std::string ref;                       ///< git: a branch, tag or commit; empty: the remote's HEAD
  bool submodules = false;               ///< git: show what they hold; else empty directories
  bool lfs = false;                      ///< git: show what LFS pointers stand for
  std::string subdir;                    ///< mount only this directory of the volume
  std::optional<std::uint32_t> uid, gid, file_mode, dir_mode;
  bool allow_other = false;
  bool default_permissions = true;
  bool noexec = false;
  std::string open = "passthrough";  ///< passthrough|daemon|kernel: who serves open(2) and reads
  std::string on_change = "stale";   ///< stale|reopen

  bool operator==(const MountOptions&) const = default;
};

/// Parses "name=value,name,…" as given to -o. `\,` stands for a comma in a value; '-' and '_' are
/// alike in names. Options that mount(8) handles or that only concern boot (ro, _netdev, nofail,
/// noauto, auto, user, users, owner, group, defaults, nosuid, nodev, relatime, noatime, x-*,
/// comment=…) are accepted and ignored, `rw` is refused (read_only), `exec` ends a `noexec`.
/// Errors: invalid_argument with one line that names the option and, for a near miss, the closest
/// one that exists. Later options win.
Result<MountOptions> parse_mount_options(std::string_view text, MountOptions base = {});

/// Whether these are limits of a daemon that can be changed while it runs (cache-size,
/// free-space-ratio, download-limit), one at least. Errors: invalid_argument.
Status check_run_time_limits(const MountOptions& options);

/// The names of all options with a one-line meaning, in the order of the manual: for --help.
struct OptionHelp {
  std::string_view name, argument, meaning;
};
const std::vector<OptionHelp>& mount_option_help();

/// The options that differ from the defaults as an -o string that parses back to the same value.
std::string format_mount_options(const MountOptions& options);

}  // namespace lazyvol::model
