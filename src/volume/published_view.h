// How an entry of a published volume looks to the kernel, with the mount's options applied.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "catalog/entry.h"
#include "lazyvol/volume.h"
#include "model/options.h"
#include "volume/published_revision.h"

namespace lazyvol::volume {

/// What a revision says holds until another one is shown, and then the kernel is told exactly.
inline constexpr std::chrono::milliseconds kPublishedTtl = std::chrono::hours(24);

/// Immutable; pure functions.
class PublishedView {
 public:
  explicit PublishedView(const model::MountOptions& options)
      : uid_(options.uid),
        gid_(options.gid),
        file_mode_(options.file_mode),
        dir_mode_(options.dir_mode) {}

  /// `attributes` as the catalog has them.
  Node node(const Revision& revision, Attributes attributes, std::chrono::milliseconds ttl) const;
  Node node(const Revision& revision, const catalog::Entry& entry,
            std::chrono::milliseconds ttl) const {
    return node(revision, attributes_of(entry), ttl);
  }
  /// The root directory of the volume, which has no entry.
  Node root(const Revision& revision, std::chrono::milliseconds ttl) const;
  static Attributes attributes_of(const catalog::Entry& entry);

 private:
  std::optional<std::uint32_t> uid_, gid_, file_mode_, dir_mode_;
};

}  // namespace lazyvol::volume
