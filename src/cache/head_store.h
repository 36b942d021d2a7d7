// What a node remembers of the heads of published volumes, and of sources that have none, kept in
// the index: so that a mount comes up without its origin, and a replayed old head is refused after
// a restart, too.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "cache/index.h"
#include "lazyvol/error.h"

namespace lazyvol::cache {

/// The last head that was used. Opaque bytes but for the sequence number.
struct KnownHead {
  std::uint64_t sequence = 0;
  std::string identity;  ///< what later heads are held to (volume::SeenHead, encoded)
  std::string document;  ///< the head as it was read; at most kMaxDocument bytes
  bool operator==(const KnownHead&) const = default;
};

/// Thread-safe; calls take microseconds, and remember() that of a disk write: not for FUSE workers.
class HeadStore {
 public:
  static constexpr std::size_t kMaxDocument = 1U << 20;

  /// `index` must outlive the store. One store per index.
  explicit HeadStore(Index& index) : index_(index) {}

  /// nullopt when nothing is known. Errors: those of Index; corrupt.
  Result<std::optional<KnownHead>> find(std::string_view volume) const;
  /// Replaces what is known, durably, unless that has a greater sequence number: several mounts of
  /// one volume may tell at once. Errors: invalid_argument, those of Index.
  Status remember(std::string_view volume, const KnownHead& head);

  /// Whether the source of that name was found to hold plain files before.
  Result<bool> is_files(std::string_view volume) const;
  Status remember_files(std::string_view volume);

 private:
  Index& index_;
  std::mutex writing_;
};

}  // namespace lazyvol::cache
