// One mounted volume: a read-only file system without FUSE. src/fuse translates kernel requests to
// these calls; tests and embedders call them directly.
//
// Thread rule: everything here is thread-safe. Callbacks come exactly once, inline when the answer
// is at hand (a cache hit costs no thread switch), else on a lazyvol thread. They must not block.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lazyvol/entry.h"
#include "lazyvol/error.h"
#include "lazyvol/local_file.h"
#include "lazyvol/request.h"

namespace lazyvol {

/// Attributes, and for how long the kernel may keep the name and the attributes.
struct Node {
  Attributes attributes;
  std::chrono::milliseconds entry_ttl{0};
  std::chrono::milliseconds attribute_ttl{0};
};

/// An open directory: one listing, unchanging while it is open.
class Directory {
 public:
  struct Item {
    std::string_view name;  ///< valid during the call that shows it
    NodeId id = 0;
    NodeType type = NodeType::file;
    /// Absent when the attributes are not known without asking the origin: a later lookup asks.
    std::optional<Node> node;
  };
  /// Takes one item; false: it did not fit, and no more are wanted.
  using Visit = std::function<bool(const Item&)>;

  virtual ~Directory() = default;
  virtual NodeId id() const = 0;
  virtual NodeId parent() const = 0;
  /// Shows the items from number `position` on, in an order that never changes, until `visit`
  /// refuses one or those at hand end; then calls `done`. At least one item is shown unless
  /// `position` is past the last, or an error comes. `visit` is called before `done`, by one thread
  /// at a time. Calls may come in any order of positions and concurrently.
  virtual void read(std::uint64_t position, RequestContext ctx, Visit visit,
                    std::function<void(Status)> done) = 0;
  /// Until when the listing may be shown without asking again; nullopt: until a change is told.
  virtual std::optional<std::chrono::steady_clock::time_point> good_until() const {
    return std::nullopt;
  }
};

/// An open file: one version of its bytes, whatever happens at the origin meanwhile.
class File {
 public:
  using ReadDone = std::function<void(Result<std::size_t>)>;
  virtual ~File() = default;
  virtual std::uint64_t size() const = 0;
  /// True when this is the same version as at the previous open of the node, so that the kernel may
  /// keep its pages.
  virtual bool keep_cache() const = 0;
  /// Reads up to out.size() bytes at `offset`; fewer only at the end of the file. `out` must live
  /// until `done` was called. Errors: stale (this version is gone and was not cached), io_error,
  /// timed_out, cancelled, access_denied, …
  virtual void read(std::uint64_t offset, std::span<std::byte> out, RequestContext ctx,
                    ReadDone done) = 0;
  /// A file of the local disk to read instead. Null when not all bytes are there and verified, or
  /// when reads must be seen; a later call may have another answer.
  virtual std::unique_ptr<LocalFile> local() { return nullptr; }
};

/// Told when something that the kernel may have cached is no longer so. Called on a thread that
/// serves no requests, with no lock held.
class ChangeListener {
 public:
  virtual ~ChangeListener() = default;
  virtual void entry_changed(NodeId directory, const std::string& name) = 0;
  virtual void node_changed(NodeId id) = 0;
  /// Calls `done` once what was told before has had its effect; on any thread.
  virtual void settle(std::function<void()> done) { done(); }
};

struct RefreshReport {
  std::uint64_t directories_checked = 0;
  std::uint64_t entries_changed = 0;
  std::uint64_t failures = 0;
};

struct VolumeStatfs {
  std::uint64_t cache_bytes_used = 0;
  std::uint64_t cache_bytes_limit = 0;
};

/// Progress of a prefetch: called now and then, last with finished = true.
struct PrefetchProgress {
  std::uint64_t files_done = 0, files_found = 0;
  std::uint64_t bytes_done = 0, bytes_found = 0;
  std::uint64_t failures = 0;
  bool finished = false;
};

/// An extended attribute: raw bytes both.
struct Xattr {
  std::string name, value;
  bool operator==(const Xattr&) const = default;
};

class Volume {
 public:
  template <class T>
  using Done = std::function<void(Result<T>)>;

  virtual ~Volume() = default;

  /// Errors: not_found when the directory's listing, within its TTL, lacks the name.
  virtual void lookup(NodeId parent, std::string name, RequestContext ctx, Done<Node> done) = 0;
  /// How long the kernel may remember that a name does not exist.
  virtual std::chrono::milliseconds negative_ttl() const = 0;
  /// Errors: stale when the id no longer names anything.
  virtual void attributes(NodeId id, RequestContext ctx, Done<Node> done) = 0;
  virtual void readlink(NodeId id, RequestContext ctx, Done<std::string> done) = 0;
  /// All extended attributes of a node. Errors: stale; unsupported when this volume has none at
  /// all, ever.
  virtual void xattrs(NodeId id, RequestContext ctx, Done<std::vector<Xattr>> done) = 0;
  virtual void open_directory(NodeId id, RequestContext ctx,
                              Done<std::shared_ptr<Directory>> done) = 0;
  virtual void open_file(NodeId id, RequestContext ctx, Done<std::shared_ptr<File>> done) = 0;
  /// The id of the directory that holds `id` (the root for the root). Errors: stale.
  virtual void parent_of(NodeId id, RequestContext ctx, Done<Node> done) = 0;

  /// Checks every directory that was used recently against the origin now.
  virtual void refresh(RequestContext ctx, Done<RefreshReport> done) = 0;
  /// Drops from the cache what is stored of `path` (a file, or a directory and all below it that is
  /// known). Bytes in use by open files may stay until closed. Answers with the bytes freed.
  virtual void evict(std::string path, Done<std::uint64_t> done) = 0;
  /// Fetches `path` and all below it into the cache. `progress` may be called from any thread;
  /// stop through ctx.stop.
  virtual void prefetch(std::string path, RequestContext ctx,
                        std::function<void(const PrefetchProgress&)> progress,
                        Done<PrefetchProgress> done) = 0;
  virtual VolumeStatfs statfs() const = 0;

  /// At most one listener; nullptr detaches, and returns only when no call is under way.
  virtual void listen(ChangeListener* listener) = 0;
};

}  // namespace lazyvol
