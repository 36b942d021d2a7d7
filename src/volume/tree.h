// What is known of a volume's tree on this node: TreeStore, decoded directories in front of it, and
// in memory what the index cannot take.
// Asks nobody; every answer may be old (see header()).
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cache/tree_store.h"
#include "lazyvol/source.h"
#include "volume/directory_cache.h"
#include "volume/merge.h"
#include "volume/unsaved.h"

namespace lazyvol::volume {

/// What the kernel may have to forget.
struct TreeChanges {
  std::vector<std::pair<NodeId, std::string>> entries;  ///< (directory, name)
  std::vector<NodeId> nodes;                            ///< other attributes or directory contents
  bool empty() const { return entries.empty() && nodes.empty(); }
};

/// Thread-safe. Reads take microseconds and may be called anywhere. apply_*() and mark_*() write to
/// the index: call them from workers. Writes to one directory are serialised here. When the index
/// cannot be written, the directory is kept in memory and the call succeeds.
class Tree {
 public:
  static constexpr std::size_t kMaxDecodedEntries = 200'000;  ///< in memory, all directories
  static constexpr std::size_t kMaxDirectoryDecoded =
      100'000;  ///< larger ones are read from the index

  /// `store` must outlive the tree. `root_path` is what the root is called in the source.
  Tree(cache::TreeStore& store, cache::VolumeId volume, std::string root_path);

  /// nullopt: never listed (or what is stored of it is damaged).
  Result<std::optional<cache::DirectoryHeader>> header(NodeId directory);
  Result<std::optional<cache::StoredEntry>> find(NodeId directory, std::string_view name);
  Result<std::vector<cache::StoredEntry>> entries(NodeId directory);
  /// The root's place is {root, ""}. nullopt: the id names nothing (any more).
  Result<std::optional<cache::NodePlace>> place(NodeId id);
  /// The path in the source. Errors: stale, name_too_long (more than kMaxPath).
  Result<std::string> path_of(NodeId directory);
  Result<std::string> path_of(NodeId parent, std::string_view name);
  /// The entry at a path (in the source), as far as known. nullopt for the root itself.
  /// Errors: not_found when some part of it is not known.
  struct Located {
    NodeId parent = kRootNode;
    std::optional<cache::StoredEntry> entry;
    NodeId id() const { return entry ? entry->id : kRootNode; }
  };
  Result<Located> locate(std::string_view source_path);
  const std::string& root_path() const { return root_path_; }

  /// Position of a name in listing order, and the entries from one position to another; only for
  /// directories that are decoded in memory.
  std::optional<std::size_t> position(NodeId directory, std::string_view name);
  std::vector<cache::StoredEntry> slice(NodeId directory, std::size_t begin, std::size_t end);

  /// `wall_ns`: when the source was asked. Errors: stale (the directory vanished meanwhile), the
  /// index's.
  Result<TreeChanges> apply_listing(NodeId directory, const Listing& listing, std::int64_t wall_ns);
  struct StatApplied {
    cache::StoredEntry entry;
    TreeChanges changes;
  };
  /// Errors: not_found (the name vanished meanwhile), the index's.
  Result<StatApplied> apply_stat(NodeId directory, const std::string& name,
                                 const RemoteEntry& answer, std::int64_t wall_ns,
                                 const std::string& token_then);
  /// Adds an entry that the directory's listing leaves out and that the source says is there.
  /// Answers with the one that is there by then. Errors: stale (the directory vanished meanwhile),
  /// the index's.
  Result<cache::StoredEntry> adopt(NodeId directory, RemoteEntry answer, std::int64_t wall_ns);
  /// Removes such an entry: the source says that it is not there any more. Changes nothing when the
  /// name is gone, or listed, by now.
  Result<TreeChanges> disown(NodeId directory, const std::string& name);
  /// The origin lists the name but says that it is not there.
  Status mark_missing(NodeId directory, const std::string& name, std::int64_t wall_ns);
  /// The entry has to be asked for again before it is shown.
  Status mark_in_doubt(NodeId directory, const std::string& name);

  /// Directories in memory, most recently used first.
  std::vector<NodeId> recently_used() const { return decoded_.ids(); }

 private:
  std::shared_ptr<DecodedDirectory> decoded(NodeId directory);
  /// place(), but the parent itself may have vanished.
  Result<std::optional<cache::NodePlace>> named_by_parent(NodeId id);
  template <class T>
  Result<T> write(const std::function<Result<T>(bool alone)>& attempt);
  Result<TreeChanges> write_listing(NodeId directory, Listing listing, std::int64_t wall_ns,
                                    bool alone);
  Result<StatApplied> write_stat(NodeId directory, const std::string& name, RemoteEntry answer,
                                 std::int64_t wall_ns, const std::string& token_then, bool alone);
  Status rewrite(NodeId directory, const std::string& name,
                 const std::function<void(cache::StoredEntry&)>& change);
  // Called with the directory's writing_ lock held: change what is stored, or keep it in memory.
  Status put_listing(NodeId directory, const cache::DirectoryHeader& header,
                     std::vector<cache::StoredEntry> sorted);
  Status put_header(NodeId directory, const cache::DirectoryHeader& header);
  Status put_entry(NodeId directory, const cache::StoredEntry& entry);
  void drop_vanished();
  std::mutex& writing(NodeId directory) { return writing_[directory % writing_.size()]; }

  cache::TreeStore& store_;
  const cache::VolumeId volume_;
  const std::string root_path_;
  DirectoryCache decoded_{kMaxDecodedEntries};
  UnsavedDirectories unsaved_{kMaxDecodedEntries};
  // Lock order: forgetting_ (shared by writers of one directory, exclusive for those that make a
  // whole subtree vanish), then writing_ (one writer per directory), then the decoded directories.
  std::shared_mutex forgetting_;
  std::array<std::mutex, 64> writing_;
};

}  // namespace lazyvol::volume
