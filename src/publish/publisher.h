// Publishing: a tree of this machine becomes the next revision of a volume.
//
// Order of writing makes it crash-safe: packs of data, packs of metadata, revisions/N, then the
// head, each durable before the next. Killed at any point, the old head stands, and what was stored
// is found again by the next try (publish/state.h).
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "catalog/signing_key.h"
#include "lazyvol/error.h"
#include "model/profile.h"
#include "publish/chunker.h"
#include "publish/store.h"

namespace lazyvol::publish {

struct PublishOptions {
  std::filesystem::path tree;
  /// What the publisher remembers between revisions: chunks and file signatures. A cache: when it
  /// is lost it is made again from the volume's packs.
  std::filesystem::path state_dir;
  std::optional<catalog::SecretKey> key;  ///< nothing: the head is not signed
  std::vector<std::string> tags;          ///< tags/NAME become copies of the head
  model::Profile profile;                 ///< what a start reads, in its order
  Chunks chunks = Chunks::standard;
  int level = 3;                       ///< of zstd
  unsigned threads = 0;                ///< 0: as many as there are cores
  std::chrono::seconds expires_in{0};  ///< 0: never
  bool one_file_system = false;        ///< directories on other file systems are shown empty
};

struct PublishProgress {
  enum class Phase : std::uint8_t { scanning, storing, catalog, finishing } phase = Phase::scanning;
  std::uint64_t files_found = 0, bytes_found = 0;  ///< by the scan, so far
  std::uint64_t files_done = 0, bytes_done = 0;    ///< stored, or known to be stored
  std::uint64_t bytes_read = 0;                    ///< of files that had to be read
  std::uint64_t bytes_known = 0;                   ///< of them, found to be stored already
  std::uint64_t bytes_stored = 0;                  ///< written to packs, compressed
};

struct PublishReport {
  std::uint64_t sequence = 0;  ///< of the revision; when nothing changed, of the one that stands
  bool changed = true;         ///< false: the tree is what the head shows, nothing was written
  std::uint64_t entries = 0, files = 0, directories = 0, symlinks = 0, bytes = 0;
  std::uint64_t files_read = 0, files_unchanged = 0, entries_changed = 0;
  std::uint64_t bytes_read = 0, bytes_known = 0;
  std::uint64_t data_bytes = 0, metadata_bytes = 0;  ///< new, in packs
  std::uint64_t objects_written = 0;
  /// Names that were left out, with the reason: sockets, fifos, devices; what vanished or changed
  /// while it was read is an error instead.
  std::vector<std::string> left_out;  ///< at most 100
  std::uint64_t left_out_total = 0;
  std::vector<std::string> profile_unknown;  ///< paths of the profile that name nothing in the tree
};

/// Thread rule: one call at a time for a state_dir (held by a lock file); `progress` is called from
/// one thread at a time, at most some ten times a second. Errors: busy (another publisher of the
/// volume, or somebody replaced the head meanwhile), access_denied (a file that cannot be read, or
/// the volume is signed by another key), not_found / not_directory (the tree), io_error (a file
/// kept changing while it was read), no_space, cancelled, corrupt (the volume that is there).
Result<PublishReport> publish(Store& store, const PublishOptions& options,
                              const std::function<void(const PublishProgress&)>& progress,
                              std::stop_token stop);

}  // namespace lazyvol::publish
