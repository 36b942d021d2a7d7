// How a stored entry looks to the kernel, and for how long: pure functions of entry, options, time.
#pragma once

#include <chrono>
#include <cstdint>

#include "cache/tree_store.h"
#include "lazyvol/volume.h"
#include "model/options.h"

namespace lazyvol::volume {

/// How long until something known since `since_wall_ns` has to be asked for again; 0 = now. A time
/// in the future (the clock jumped back) counts as expired.
std::chrono::milliseconds time_left(std::int64_t since_wall_ns, std::int64_t now_wall_ns,
                                    std::chrono::milliseconds ttl);

enum class Knowledge {
  known,    ///< the attributes may be shown
  missing,  ///< listed, but the origin says that it is not there (a dangling name)
  ask,      ///< stat() has to be asked first
};

/// What can be said of an entry of a directory whose listing may be used.
/// Attributes from the listing hold as long as the listing. Those from stat() hold for `ttl`;
/// beyond it only while the listing's row stays the same (it has a token) and the entry was
/// settled.
Knowledge knowledge_of(const cache::StoredEntry& entry, std::int64_t now_wall_ns,
                       std::chrono::milliseconds ttl);

/// True when the entry has all that its type needs: a file its size and validator, a symlink its
/// target.
bool is_exact(const cache::StoredEntry& entry);

/// Turns entries into nodes, with the volume's options applied.
class NodeView {
 public:
  /// Entries without an owner belong to `default_uid`:`default_gid`.
  NodeView(const model::MountOptions& options, std::uint32_t default_uid,
           std::uint32_t default_gid);

  Attributes attributes(const cache::StoredEntry& entry) const;
  /// Attributes and TTLs. `listing_left`: what is left of the directory's TTL.
  Node node(const cache::StoredEntry& entry, std::int64_t now_wall_ns,
            std::chrono::milliseconds listing_left) const;
  std::chrono::milliseconds ttl() const { return ttl_; }
  /// For answers that are known to be old (the origin is down): to be asked for again soon.
  std::chrono::milliseconds short_ttl() const;

 private:
  std::chrono::milliseconds ttl_;
  std::optional<std::uint32_t> uid_, gid_, file_mode_, dir_mode_;
  std::uint32_t default_uid_, default_gid_;
};

}  // namespace lazyvol::volume
