// A published file that is read straight from its frames: one that is not long enough for blocks of
// its own.
#pragma once

#include <memory>
#include <vector>

#include "cache/block_cache_registry.h"
#include "catalog/entry.h"
#include "fetch/counters.h"
#include "fetch/fetcher.h"
#include "fetch/file_extents.h"
#include "fetch/frame_store.h"

namespace lazyvol::fetch {

/// Its frames are kept whole, so a read brings along the files beside it. Also a file whose bytes
/// are in its entry, and an empty one: those ask nobody.
class FrameContent final : public Content, public std::enable_shared_from_this<FrameContent> {
 public:
  using Registry = cache::Registry<FrameContent>;

  FrameContent(std::shared_ptr<FrameStore> store, std::shared_ptr<Counters> counters,
               std::shared_ptr<Registry> registry, ContentRef ref, catalog::Content content);
  ~FrameContent() override;

  const ContentRef& ref() const override { return ref_; }
  void read(std::uint64_t offset, std::span<std::byte> out, RequestContext ctx,
            ReadDone done) override;
  void want(std::uint64_t begin, std::uint64_t end, RequestContext ctx,
            std::function<void(Status)> done) override;
  bool stale() const override { return false; }
  bool has(std::uint64_t begin, std::uint64_t end) const override;
  std::uint64_t readahead_allowance() const override { return store_->allowance(); }

 private:
  void read_extents(const std::vector<FileExtent>& extents, std::uint64_t offset,
                    std::span<std::byte> out, const RequestContext& ctx, ReadDone done);

  // constant
  const std::shared_ptr<FrameStore> store_;
  const std::shared_ptr<Counters> counters_;
  const std::shared_ptr<Registry> registry_;
  const ContentRef ref_;
  const catalog::Content content_;
};

}  // namespace lazyvol::fetch
