#include "publish/bundler.h"

#include <utility>

namespace lazyvol::publish {

std::optional<Bundler::Place> Bundler::find(const Chunk& chunk) {
  const auto found = recent_.find(chunk.digest);
  if (found != recent_.end()) {
    const Recent& recent = found->second;
    return Place{recent.frame, recent.offset, submitted_ - recent.ordinal < kNearFrames};
  }
  const auto stored = state_.find(chunk.digest);
  if (!stored || stored->length != chunk.bytes.size()) return std::nullopt;
  return Place{places_.known(stored->frame), stored->offset, false};
}

void Bundler::use(const Place& place, std::size_t piece) {
  FilePiece& target = contents_.pieces[piece];
  target.frame = place.frame;
  target.offset = place.offset;
  progress_.bytes_known.fetch_add(target.length, std::memory_order_relaxed);
}

void Bundler::use_waiting(Open& open) {
  for (const Waiting& one : open.waiting) use(one.place, one.piece);
  open.waiting.clear();
  open.waiting_bytes = 0;
}

Status Bundler::add(Open& open, Chunk chunk, bool in_order) {
  const std::size_t piece = contents_.pieces.size(), length = chunk.bytes.size();
  contents_.pieces.push_back({.length = length, .frame = 0, .offset = 0});
  const auto place = find(chunk);
  if (!place) return add_new(open, std::move(chunk), piece, in_order);
  if (place->near || length >= limits_.frame_target || open.bundle.raw.empty() || open.in_run) {
    use(*place, piece);
    return {};
  }
  open.waiting.push_back({std::move(chunk), piece, *place});
  open.waiting_bytes += length;
  if (open.waiting.size() >= kShortRun || open.waiting_bytes >= limits_.frame_target) {
    use_waiting(open);
    open.in_run = true;
  }
  return {};
}

Status Bundler::add_new(Open& open, Chunk chunk, std::size_t piece, bool in_order) {
  open.in_run = false;
  if (chunk.bytes.size() < limits_.frame_target) {
    LAZYVOL_TRY(add_waiting(open));
    return append(open, std::move(chunk), piece);
  }
  if (in_order) LAZYVOL_TRY(flush(open));
  Open alone;
  LAZYVOL_TRY(append(alone, std::move(chunk), piece));
  return flush(alone);
}

// A short run of known chunks between new ones.
Status Bundler::add_waiting(Open& open) {
  open.waiting_bytes = 0;
  for (Waiting& one : std::exchange(open.waiting, {})) {
    const auto place = find(one.chunk);  // it may have come twice in the run
    if (place && (place->near || open.bundle.raw.empty())) {
      use(*place, one.piece);
    } else {
      LAZYVOL_TRY(append(open, std::move(one.chunk), one.piece));
    }
  }
  return {};
}

Status Bundler::append(Open& open, Chunk chunk, std::size_t piece) {
  Bundle& bundle = open.bundle;
  if (bundle.raw.empty()) bundle.frame = places_.reserve();
  const auto offset = static_cast<std::uint32_t>(bundle.raw.size());
  const auto length = static_cast<std::uint32_t>(chunk.bytes.size());
  recent_[chunk.digest] = {bundle.frame, offset, length, submitted_};
  contents_.pieces[piece].frame = bundle.frame;
  contents_.pieces[piece].offset = offset;
  bundle.chunks.push_back({chunk.digest, offset, length});
  if (bundle.raw.empty()) {
    bundle.raw = std::move(chunk.bytes);
  } else {
    bundle.raw += chunk.bytes;
  }
  return bundle.raw.size() >= limits_.frame_target ? submit(std::exchange(bundle, {})) : Status();
}

Status Bundler::flush(Open& open) {
  use_waiting(open);
  open.in_run = false;
  return open.bundle.raw.empty() ? Status() : submit(std::exchange(open.bundle, {}));
}

void Bundler::drop_long() {
  for (const ChunkInFrame& chunk : long_.bundle.chunks) {
    const auto found = recent_.find(chunk.chunk);
    if (found != recent_.end() && found->second.frame == long_.bundle.frame) recent_.erase(found);
  }
  long_ = Open();
}

Status Bundler::submit(Bundle bundle) {
  Submitted submitted{submitted_++, bundle.frame, {}};
  for (const ChunkInFrame& chunk : bundle.chunks) submitted.chunks.push_back(chunk.chunk);
  window_.push_back(std::move(submitted));
  forget_old();
  return pipe_.submit(std::move(bundle));
}

// What is durable is found in the state; far it is by then.
void Bundler::forget_old() {
  while (!window_.empty() && window_.front().ordinal + kNearFrames < submitted_ &&
         window_.front().ordinal < pipe_.recorded()) {
    for (const catalog::Digest& chunk : window_.front().chunks) {
      const auto found = recent_.find(chunk);
      if (found != recent_.end() && found->second.frame == window_.front().frame) {
        recent_.erase(found);
      }
    }
    window_.pop_front();
  }
}

}  // namespace lazyvol::publish
