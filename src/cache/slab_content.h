// One small content, whose blocks lie in slabs.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/locked.h"
#include "cache/object_store.h"
#include "cache/slab_store.h"

namespace lazyvol::cache {

/// Remembers where its blocks are, so that only the first read of each asks the index.
class SlabContent final : public CachedContent {
 public:
  SlabContent(CacheShared& shared, SlabStore& store, const model::ContentKey& key,
              std::uint64_t size);
  ~SlabContent() override;

  const model::ContentKey& key() const override { return key_; }
  const model::BlockLayout& layout() const override { return layout_; }
  bool has(std::uint64_t block) const override;
  Status read(std::uint64_t block, std::uint32_t offset, std::span<std::byte> out) override;
  Status store(std::uint64_t block, std::span<const std::byte> bytes) override;
  std::uint64_t evict() override;

 private:
  static constexpr std::size_t kMaxBlocks = kObjectMinBytes / model::kBlockSize;
  struct Place {
    std::optional<SlabLocation> at;
    bool verified = false;
  };
  using Places = std::array<Place, kMaxBlocks>;

  Place place_of(std::uint64_t block) const;
  void remember(std::uint64_t block, Place place) const;
  Status read_at(std::uint64_t block, const Place& place, std::uint32_t offset,
                 std::span<std::byte> out);

  CacheShared& shared_;
  SlabStore& store_;
  const std::shared_ptr<void> owner_;
  const model::ContentKey key_;
  const model::BlockLayout layout_;
  base::Locked<Places> places_;
};

}  // namespace lazyvol::cache
