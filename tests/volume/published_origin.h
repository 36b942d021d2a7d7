// A published volume in a directory, made of a model that tests edit.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "catalog/catalog_build.h"
#include "catalog/head.h"
#include "catalog/signing_key.h"
#include "lazyvol/volume.h"

namespace lazyvol::testing {

/// Publishes as a publisher does: ids are kept, other bytes get another id, revisions stay. Pages
/// are small, so that a few hundred names make a tree of several levels. Not thread-safe.
class PublishedOrigin {
 public:
  struct File {
    NodeId id = 0;
    NodeType type = NodeType::file;
    std::string bytes;  ///< or the target of a symlink
    std::uint32_t mode = 0644, uid = 1, gid = 2;
    std::int64_t mtime_ns = 1'700'000'000'000'000'001;
    std::vector<catalog::Xattr> xattrs;
  };

  explicit PublishedOrigin(std::filesystem::path root, unsigned char key_seed = 1);

  /// `path` is made with its parents. Other bytes than before: another id.
  void put(const std::string& path, std::string bytes);
  void put_directory(const std::string& path);
  void put_symlink(const std::string& path, std::string target);
  /// A second name of the file at `path`.
  void link(const std::string& path, const std::string& other);
  void remove(const std::string& path);  ///< and all below it
  File& at(const std::string& path) { return nodes_.at(paths_.at(path)); }
  NodeId id(const std::string& path) const { return paths_.at(path); }
  bool has(const std::string& path) const { return paths_.contains(path); }
  const std::map<std::string, NodeId>& paths() const { return paths_; }

  /// What the next head says besides the tree; the sequence number counts up by itself.
  catalog::Head& head() { return head_; }
  void sign_with(std::optional<unsigned char> key_seed) { key_seed_ = key_seed; }
  std::string key_text() const;
  std::string tag;  ///< if not empty, tags/TAG becomes a copy of the head

  /// Answers with the sequence number.
  std::uint64_t publish();
  /// Makes a published revision the present one again.
  void replay(std::uint64_t sequence);
  /// Every pack of the last revision that holds pages (or contents).
  std::vector<std::filesystem::path> packs(bool of_pages) const;
  const std::filesystem::path& root() const { return root_; }

 private:
  class Packs;
  std::vector<catalog::Entry> entries(Packs& packs);
  void place_bytes(Packs& packs, std::map<NodeId, catalog::Content>& contents);
  std::optional<catalog::SecretKey> key() const;

  const std::filesystem::path root_;
  std::optional<unsigned char> key_seed_;
  std::map<std::string, NodeId> paths_;
  std::map<NodeId, File> nodes_;
  catalog::Head head_;
  std::set<std::filesystem::path> data_packs_, page_packs_;
};

}  // namespace lazyvol::testing
