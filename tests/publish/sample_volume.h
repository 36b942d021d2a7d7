// A publisher of few lines, for tests of what reads volumes: a tree in memory that is published now
// and then.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "catalog/catalog_build.h"
#include "catalog/head.h"
#include "catalog/pack.h"
#include "publish/store.h"

namespace lazyvol::publish {

class SampleVolume {
 public:
  /// `store` must outlive it.
  explicit SampleVolume(Store& store, std::optional<catalog::SecretKey> key = std::nullopt)
      : store_(store), key_(std::move(key)) {}

  // Paths have directories that were made before. All end the test program when they cannot.
  void make_directory(const std::string& path);
  void write(const std::string& path, std::string bytes);
  void make_symlink(const std::string& path, std::string target);
  void link(const std::string& path, const std::string& existing);
  void remove(const std::string& path);  ///< a directory with all below it
  void move(const std::string& from, const std::string& to);
  void set_mode(const std::string& path, std::uint32_t mode);
  std::vector<std::string> paths() const;
  bool has(const std::string& path) const { return names_.contains(path); }

  /// Writes packs, revisions/N and the head; the bytes of files that the revision before has are
  /// not written again. Errors: those of the store.
  Result<catalog::HeadDocument> publish(std::int64_t now_ns, const std::string& tag = {});

  /// Contents are cut at this many bytes, each piece a frame of its own; more than 24 make a map.
  std::size_t piece_bytes = 4096;
  using Pages = std::map<catalog::Digest, catalog::FrameRef>;  ///< by the hash of their bytes
  /// Called between the packs and revisions/N.
  std::function<void()> before_head;

 private:
  struct Node {
    NodeType type = NodeType::file;
    std::uint32_t mode = 0644, nlink = 1;
    std::string bytes;  // of a file; of a link its target
    bool operator==(const Node&) const = default;
  };

  NodeId add(const std::string& path, Node node);
  Node& node(const std::string& path);
  std::vector<catalog::Entry> entries(
      const std::map<std::string, catalog::Content>& contents) const;

  Store& store_;
  const std::optional<catalog::SecretKey> key_;
  std::map<std::string, NodeId> names_;  // by path
  std::map<NodeId, Node> nodes_;
  NodeId next_id_ = 2;
  std::optional<std::string> head_text_;
  catalog::Head head_;
  std::map<std::string, catalog::Content> known_;  // of the revision before, by their bytes
  Pages known_pages_;
};

}  // namespace lazyvol::publish
