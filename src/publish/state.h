// What a publisher remembers between two revisions, in a directory of its own: where each chunk
// lies, and what each file was when it was read.
//
// It is a cache. All of it can be learned again from the volume (publish/old_tree.h), and what is
// damaged is dropped. Two kinds of facts, neither of which can become wrong:
// - chunk → place in a pack. Packs never change, and a place is believed only while its pack is
//   trusted: the publisher says at the start which are (trust()).
// - node id → stamp and fingerprint of the bytes that the id stands for. An id never gets other
//   bytes; the rows are believed only while the volume's head descends from the one they were
//   written for (synced()).
//
// Keyspaces: publish/state_families.h. Thread rule: thread-safe, one process at a time (lock file).
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <unordered_set>
#include <vector>

#include "catalog/digest.h"
#include "catalog/frame.h"
#include "lazyvol/error.h"
#include "publish/pack_writer.h"
#include "publish/tree.h"

namespace lazyvol::publish {

/// A chunk in the frame that it was put into.
struct ChunkInFrame {
  catalog::Digest chunk;
  std::uint32_t offset = 0, length = 0;
};

/// Where a chunk lies.
struct ChunkPlace {
  catalog::FrameRef frame;
  std::uint32_t offset = 0, length = 0;
};

/// 128 bits of a hash.
using Fingerprint = std::array<std::uint8_t, 16>;

/// What is known of a node of the volume.
struct FileRow {
  NodeId id = 0;
  NodeType type = NodeType::file;
  Inode inode;             ///< zeros: not known
  Fingerprint stamp{};     ///< of its Stamp, if that was settled when it was read; else zeros
  Fingerprint contents{};  ///< of the bytes, or of a link's target
  bool operator==(const FileRow&) const = default;
};
Fingerprint stamp_fingerprint(const Stamp& stamp);

/// The head that the rows are known to belong to.
struct Synced {
  std::uint64_t sequence = 0;
  catalog::Digest head;
};

class State {
 public:
  /// Makes the directory when it is missing; drops a damaged database. Errors: busy (another
  /// publisher holds it), access_denied, no_space, io_error.
  static Result<std::unique_ptr<State>> open(const std::filesystem::path& dir);
  ~State();
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  /// From now on chunks are looked for in these packs, besides those that record() takes; further,
  /// in packs of `present` that were recorded within kTrustUnreachedNs: what a killed publisher
  /// left.
  void trust(const std::unordered_set<catalog::Digest, catalog::DigestHash>& reached,
             const std::unordered_set<catalog::Digest, catalog::DigestHash>& present);
  /// Where a chunk lies, by the last record() of it; nothing when it is in no trusted pack.
  std::optional<ChunkPlace> find(const catalog::Digest& chunk);
  /// Remembers chunks in a pack that is durable; chunks[i] are those in pack.frames[i].
  /// `written_ns` is when this publisher wrote it, 0 for a pack that was found. Errors: no_space,
  /// io_error.
  Status record(const StoredPack& pack, std::span<const std::vector<ChunkInFrame>> chunks,
                std::int64_t written_ns);

  /// The packs that a file map leads to, if they were remembered; by the hash of the map's frame.
  std::optional<std::vector<catalog::Digest>> packs_of_map(const catalog::Digest& map);
  Status put_packs_of_map(const catalog::Digest& map, std::span<const catalog::Digest> packs);

  std::optional<Synced> synced();
  Status set_synced(const Synced& synced);
  /// All rows, by rising id. What cannot be read is left out.
  std::vector<FileRow> rows();
  /// Replaces rows. Errors: no_space, io_error.
  Status put_rows(std::span<const FileRow> rows);
  Status erase_rows(std::span<const NodeId> ids);
  /// Forgets all rows, and what they were synced with.
  Status clear_rows();

  /// How long a pack is believed to stay that no head leads to. Whoever removes such packs has to
  /// leave them alone for longer.
  static constexpr std::int64_t kTrustUnreachedNs = 12LL * 3600 * 1'000'000'000;

 private:
  struct Impl;
  explicit State(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace lazyvol::publish
