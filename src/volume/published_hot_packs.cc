#include "volume/published_hot_packs.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "source/read_object.h"

namespace lazyvol::volume {

void PublishedHotPacks::run(std::shared_ptr<PublishedCore> core) {
  auto self = std::shared_ptr<PublishedHotPacks>(new PublishedHotPacks(std::move(core)));
  self->token_ = self->core_->activity->enter();
  if (!self->token_) return;
  self->packs_ = self->core_->current.get()->head().hot_packs;
  std::reverse(self->packs_.begin(), self->packs_.end());
  self->next();
}

RequestContext PublishedHotPacks::context() const {
  RequestContext ctx = core_->unattended();
  ctx.priority = Priority::sibling;
  ctx.cause = Cause::prefetch;
  return ctx;
}

void PublishedHotPacks::next() {
  origin_ = 0;
  if (!packs_.empty()) read_tail(kTailBytes);
}

void PublishedHotPacks::read_tail(std::uint64_t bytes) {
  const catalog::HotPack& pack = packs_.back();
  source::ReadObject what;
  what.path = catalog::pack_path(pack.pack);
  what.limit = std::min<std::uint64_t>(bytes, pack.bytes);
  what.offset = pack.bytes - what.limit;
  source::read_object(core_->origins[origin_], core_->env.timer, std::move(what), context(),
                      [self = shared_from_this()](Result<source::Object> object) {
                        const Status taken =
                            object.ok() ? self->take_tail(object->bytes) : Status(object.error());
                        if (!taken.ok()) self->failed(taken.error());
                      });
}

/// `tail` is the last bytes of the pack: its trailer, and its index if that fits.
Status PublishedHotPacks::take_tail(const std::string& tail) {
  const catalog::HotPack& pack = packs_.back();
  if (tail.size() < catalog::kPackTrailerBytes) {
    return Error{Code::corrupt, "a pack without an index"};
  }
  const std::string_view view = tail;
  LAZYVOL_TRY_ASSIGN(const auto trailer,
                     catalog::parse_pack_trailer(
                         view.substr(tail.size() - catalog::kPackTrailerBytes), pack.bytes));
  const std::uint64_t begin = pack.bytes - tail.size();
  if (trailer.index_offset < begin) {
    read_tail(pack.bytes - trailer.index_offset);
    return {};
  }
  LAZYVOL_TRY_ASSIGN(
      auto frames,
      catalog::parse_pack_index(pack.pack, trailer,
                                view.substr(trailer.index_offset - begin, trailer.index_bytes)));
  fetch(std::move(frames), trailer.kind);
  return {};
}

void PublishedHotPacks::fetch(std::vector<catalog::FrameRef> frames, catalog::PackKind kind) {
  const auto use = kind == catalog::PackKind::metadata ? lazyvol::fetch::FrameUse::page
                                                       : lazyvol::fetch::FrameUse::bundle;
  core_->fetcher->frames().want(std::move(frames), use, context(),
                                [self = shared_from_this()](const Status& status) {
                                  if (!status.ok()) return self->failed(status.error());
                                  self->packs_.pop_back();
                                  self->next();
                                });
}

/// Of the pack at one origin: the next origin may do better.
void PublishedHotPacks::failed(const Error& error) {
  if (error.code != Code::cancelled && ++origin_ < core_->origins.size()) {
    return read_tail(kTailBytes);
  }
  if (error.code == Code::cancelled) return;
  base::log_info("hot pack {} was not fetched ahead: {}", packs_.back().pack.hex(), error.message);
  packs_.pop_back();
  next();
}

}  // namespace lazyvol::volume
