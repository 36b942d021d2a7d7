#include "fetch/frame_content.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "fetch/pending_read.h"

namespace lazyvol::fetch {

FrameContent::FrameContent(std::shared_ptr<FrameStore> store, std::shared_ptr<Counters> counters,
                           std::shared_ptr<Registry> registry, ContentRef ref,
                           catalog::Content content)
    : store_(std::move(store)),
      counters_(std::move(counters)),
      registry_(std::move(registry)),
      ref_(std::move(ref)),
      content_(std::move(content)) {}

FrameContent::~FrameContent() {
  registry_->released(ref_.key);
}

void FrameContent::read(std::uint64_t offset, std::span<std::byte> out, RequestContext ctx,
                        ReadDone done) {
  Counters::add(counters_->reads);
  if (offset >= ref_.size) return done(std::size_t{0});
  out = out.first(std::min<std::uint64_t>(out.size(), ref_.size - offset));
  if (out.empty()) return done(std::size_t{0});
  Counters::add(counters_->bytes_read, out.size());
  const std::uint64_t end = offset + out.size();
  if (const auto extents = extents_at_hand(*store_, content_, ref_.size, offset, end)) {
    return read_extents(*extents, offset, out, ctx, std::move(done));
  }
  find_extents(*store_, content_, ref_.size, offset, end, ctx,
               [self = shared_from_this(), offset, out, ctx,
                done = std::move(done)](Result<std::vector<FileExtent>> found) mutable {
                 if (!found.ok()) return done(std::move(found).error());
                 self->read_extents(*found, offset, out, ctx, std::move(done));
               });
}

void FrameContent::read_extents(const std::vector<FileExtent>& extents, std::uint64_t offset,
                                std::span<std::byte> out, const RequestContext& ctx,
                                ReadDone done) {
  struct Missing {
    catalog::FrameRef frame;
    Piece piece;
  };
  std::vector<Missing> missing;
  std::vector<catalog::FrameRef> frames;
  std::uint64_t hit = 0;
  for (const FileExtent& extent : extents) {
    const auto part = out.subspan(extent.begin - offset, extent.length);
    if (extent.kind == FileExtent::Kind::hole) {
      std::memset(part.data(), 0, part.size());
    } else if (extent.kind == FileExtent::Kind::inlined) {
      const auto& bytes = std::get<catalog::InlineContent>(content_).bytes;
      std::memcpy(part.data(), bytes.data() + extent.offset, part.size());
    } else if (const FrameBytes bytes = store_->at_hand(extent.frame, FrameUse::bundle)) {
      std::memcpy(part.data(), bytes->data() + extent.offset, part.size());
    } else {
      missing.push_back({extent.frame, Piece{0, extent.offset, part}});
      continue;
    }
    hit += part.size();
  }
  Counters::add(counters_->hit_bytes, hit);
  if (missing.empty()) return done(out.size());

  auto read =
      std::make_shared<PendingRead>(out.size(), missing.size(), 0, 0, std::move(done), counters_);
  if (missing.size() > 1) {
    // All at once, so that those side by side come in one request.
    for (const Missing& one : missing) frames.push_back(one.frame);
    store_->want(std::move(frames), FrameUse::bundle, ctx, nullptr);
  }
  for (const Missing& one : missing) {
    store_->get(one.frame, FrameUse::bundle, ctx,
                [read, piece = one.piece](Result<FrameBytes> got) {
                  if (got.ok()) {
                    read->deliver(piece, std::as_bytes(std::span(**got)));
                  } else {
                    read->fail(std::move(got).error());
                  }
                });
  }
}

void FrameContent::want(std::uint64_t begin, std::uint64_t end, RequestContext ctx,
                        std::function<void(Status)> done) {
  auto found = [self = shared_from_this(), ctx,
                done = std::move(done)](Result<std::vector<FileExtent>> extents) mutable {
    std::vector<catalog::FrameRef> frames;
    if (extents.ok()) frames = frames_of(*extents);
    if (frames.empty()) {
      if (done) done(extents.ok() ? Status() : Status(std::move(extents).error()));
      return;
    }
    if (ctx.cause == Cause::readahead) {
      for (const auto& frame : frames) {
        if (self->store_->has(frame, FrameUse::bundle)) continue;
        Counters::add(self->counters_->readahead_bytes, frame.raw);
      }
    }
    self->store_->want(std::move(frames), FrameUse::bundle, std::move(ctx), std::move(done));
  };
  find_extents(*store_, content_, ref_.size, begin, end, std::move(ctx), std::move(found));
}

bool FrameContent::has(std::uint64_t begin, std::uint64_t end) const {
  const auto extents = extents_at_hand(*store_, content_, ref_.size, begin, end);
  return extents && std::all_of(extents->begin(), extents->end(), [&](const FileExtent& extent) {
           return extent.kind != FileExtent::Kind::piece ||
                  store_->has(extent.frame, FrameUse::bundle);
         });
}

}  // namespace lazyvol::fetch
