#include "fetch/content.h"

#include <algorithm>
#include <utility>

#include "fetch/engine.h"

namespace lazyvol::fetch {

ContentImpl::ContentImpl(std::shared_ptr<Engine> engine, ContentRef ref,
                         std::shared_ptr<cache::CachedContent> cached)
    : engine_(std::move(engine)),
      ref_(std::move(ref)),
      layout_{ref_.size},
      cached_(std::move(cached)),
      counters_(engine_->counters()) {}

ContentImpl::~ContentImpl() {
  engine_->closed(*this);
}

void ContentImpl::read(std::uint64_t offset, std::span<std::byte> out, RequestContext ctx,
                       ReadDone done) {
  Counters::add(counters_->reads);
  if (offset >= ref_.size) return done(std::size_t{0});
  out = out.first(std::min<std::uint64_t>(out.size(), ref_.size - offset));
  if (out.empty()) return done(std::size_t{0});
  Counters::add(counters_->bytes_read, out.size());

  std::vector<Piece> missing;
  std::uint64_t hit = 0;
  for (std::size_t at = 0; at < out.size();) {
    const std::uint64_t block = layout_.block_of(offset + at);
    const auto in_block = static_cast<std::uint32_t>(offset + at - layout_.offset_of(block));
    const auto part = out.subspan(
        at, std::min<std::size_t>(out.size() - at, layout_.length_of(block) - in_block));
    if (cached_->read(block, in_block, part).ok()) {
      hit += part.size();
    } else {
      missing.push_back(Piece{block, in_block, part});
    }
    at += part.size();
  }
  Counters::add(counters_->hit_bytes, hit);
  if (missing.empty()) return done(out.size());
  engine_->read_missing(shared_from_this(), std::move(missing), out.size(), std::move(ctx),
                        std::move(done));
}

void ContentImpl::want(std::uint64_t begin, std::uint64_t end, RequestContext ctx,
                       std::function<void(Status)> done) {
  end = std::min(end, ref_.size);
  auto op = std::make_shared<WantOp>();
  op->content = shared_from_this();
  op->context = std::move(ctx);
  op->done = std::move(done);
  if (begin < end) {
    op->next = layout_.block_of(begin);
    op->end = layout_.block_of(end - 1) + 1;
  }
  engine_->want(std::move(op));
}

bool ContentImpl::has(std::uint64_t begin, std::uint64_t end) const {
  end = std::min(end, ref_.size);
  if (begin >= end) return true;
  for (std::uint64_t block = layout_.block_of(begin); block <= layout_.block_of(end - 1); ++block) {
    if (!cached_->has(block)) return false;
  }
  return true;
}

std::uint64_t ContentImpl::readahead_allowance() const {
  return engine_->readahead_allowance();
}

}  // namespace lazyvol::fetch
