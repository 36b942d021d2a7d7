// Packs as they are written to a store, one after the other.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "catalog/pack.h"
#include "lazyvol/error.h"
#include "publish/publish_limits.h"
#include "publish/store.h"

namespace lazyvol::publish {

/// A pack that is in the store.
struct StoredPack {
  catalog::Digest name;
  std::uint32_t bytes = 0;
  std::vector<catalog::FrameRef> frames;  ///< in the order they were added
};

/// Thread rule: one thread at a time. Dropped with a pack open: nothing of that pack stays.
class PackWriter {
 public:
  PackWriter(Store& store, catalog::PackKind kind, const Limits& limits)
      : store_(store), kind_(kind), limits_(limits) {}

  bool is_open() const { return builder_.has_value(); }
  /// The pack has what a pack should have: close it.
  bool is_full() const;
  /// Appends a frame, to a new pack if none is open. Errors: those of the store; too_large.
  Status add(const catalog::EncodedFrame& frame);
  /// Ends the open pack; it is durable then. Errors: those of the store.
  Result<StoredPack> close();

 private:
  Store& store_;
  const catalog::PackKind kind_;
  const Limits& limits_;
  std::optional<catalog::PackBuilder> builder_;
  std::unique_ptr<ObjectWriter> object_;
  std::vector<catalog::FrameRef> frames_;
};

}  // namespace lazyvol::publish
