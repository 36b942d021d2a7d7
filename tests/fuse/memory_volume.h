// A Volume in memory whose answers the test can hold back: what a kernel mount is tried on without
// any source or cache.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/locked.h"
#include "lazyvol/volume.h"

namespace lazyvol::testing {

/// One directory of files under the root; ids count up from 2. Thread-safe.
class MemoryVolume final : public Volume, public std::enable_shared_from_this<MemoryVolume> {
 public:
  void add_file(const std::string& name, std::string bytes);
  void add_symlink(const std::string& name, std::string target);
  /// Replaces the bytes under a new id, as a changed file at the origin, and tells the kernel.
  void replace_file(const std::string& name, std::string bytes);
  /// Reads of `name` wait for release_reads() (or for their cancellation) from now on.
  void hold_reads(const std::string& name);
  void release_reads();
  /// Blocks until `count` reads are held.
  void wait_for_held(std::size_t count);
  /// Every read fails with this from now on.
  void fail_reads(Code code);
  std::size_t reads() const;
  std::size_t opens() const;
  /// How long listings are good from now on; until a change is told before the first call.
  void set_listing_ttl(std::chrono::milliseconds ttl);
  std::size_t listings() const;
  /// From now on `name` can be read from the local file `path` instead (lazyvol/local_file.h).
  void set_local(const std::string& name, const std::string& path);
  /// How many loans of local files have not ended.
  std::size_t loans() const;
  std::unique_ptr<LocalFile> lend(const std::string& name);
  /// Until the first call the volume has no extended attributes at all.
  void set_xattrs(const std::string& name, std::vector<Xattr> xattrs);
  std::size_t xattr_questions() const;

  void lookup(NodeId parent, std::string name, RequestContext ctx, Done<Node> done) override;
  std::chrono::milliseconds negative_ttl() const override { return std::chrono::seconds(60); }
  void attributes(NodeId id, RequestContext ctx, Done<Node> done) override;
  void readlink(NodeId id, RequestContext ctx, Done<std::string> done) override;
  void xattrs(NodeId id, RequestContext ctx, Done<std::vector<Xattr>> done) override;
  void open_directory(NodeId id, RequestContext ctx,
                      Done<std::shared_ptr<Directory>> done) override;
  void open_file(NodeId id, RequestContext ctx, Done<std::shared_ptr<File>> done) override;
  void parent_of(NodeId id, RequestContext ctx, Done<Node> done) override;
  void refresh(RequestContext ctx, Done<RefreshReport> done) override;
  void evict(std::string path, Done<std::uint64_t> done) override;
  void prefetch(std::string path, RequestContext ctx,
                std::function<void(const PrefetchProgress&)> progress,
                Done<PrefetchProgress> done) override;
  VolumeStatfs statfs() const override { return {1 << 20, 1 << 30}; }
  void listen(ChangeListener* listener) override;

  /// Starts one read; used by the files of this volume.
  void read(const std::string& name, const std::shared_ptr<const std::string>& bytes,
            std::uint64_t offset, std::span<std::byte> out, const RequestContext& ctx,
            File::ReadDone done);

 private:
  struct Entry {
    NodeId id = 0;
    NodeType type = NodeType::file;
    std::shared_ptr<const std::string> bytes;  // or the target of a symlink
  };
  struct Held {
    std::stop_token stop;
    std::function<void(bool cancelled)> finish;
  };
  struct State {
    std::map<std::string, Entry> entries;
    NodeId next = 2;
    std::string held_name;
    std::vector<Held> held;
    std::optional<Code> failure;
    std::size_t reads = 0;
    std::size_t opens = 0, listings = 0;
    std::optional<std::chrono::milliseconds> listing_ttl;
    std::map<std::string, std::string> local;
    std::shared_ptr<int> loans = std::make_shared<int>();
    std::optional<std::map<NodeId, std::vector<Xattr>>> xattrs;
    std::size_t xattr_questions = 0;
    ChangeListener* listener = nullptr;
  };
  static Node node_of(const Entry& entry);
  static Node root();

  base::Locked<State> state_;
  std::condition_variable changed_;
};

}  // namespace lazyvol::testing
