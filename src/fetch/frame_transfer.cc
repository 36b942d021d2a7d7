#include "fetch/frame_transfer.h"

#include <algorithm>
#include <utility>

#include "fetch/frame_engine.h"

namespace lazyvol::fetch {

FrameTransfer::FrameTransfer(std::shared_ptr<FrameEngine> engine, OriginRanks::Choice chosen,
                             std::vector<std::shared_ptr<FrameFlight>> of)
    : choice(chosen),
      frames(std::move(of)),
      offset(frames.front()->begin() + frames.front()->partial.size()),
      end(frames.back()->end()),
      begun(base::system_clock().now()),
      current(std::exchange(frames.front()->partial, {})),
      current_from(std::exchange(frames.front()->partial_from, 0) | OriginSet{1} << choice.origin),
      engine_(std::move(engine)),
      last_byte_(begun.time_since_epoch().count()) {}

void FrameTransfer::touch() {
  last_byte_.store(base::system_clock().now().time_since_epoch().count(),
                   std::memory_order_relaxed);
}

Flow FrameTransfer::on_start(const ReadStart& start) {
  touch();
  if (detached.load(std::memory_order_acquire)) return Flow::abort;
  if (start.offset > offset) {
    refusal = Error{Code::corrupt, "the answer is not the range asked for"};
    return Flow::abort;
  }
  // More than was asked for comes from a server without ranges: what lies before is skipped.
  position_ = start.offset;
  total_size = start.total_size;
  return Flow::proceed;
}

Flow FrameTransfer::on_data(std::span<const std::byte> data) {
  touch();
  received += data.size();
  engine_->received(data.size());
  while (!data.empty()) {
    if (detached.load(std::memory_order_acquire)) return Flow::abort;
    if (next == frames.size()) return Flow::abort;  // all that was wanted has come
    const catalog::FrameRef& ref = frames[next]->place.ref;
    const std::uint64_t begin = ref.offset + current.size();
    if (position_ < begin) {
      const auto skipped = std::min<std::uint64_t>(data.size(), begin - position_);
      position_ += skipped;
      data = data.subspan(skipped);
      continue;
    }
    if (current.empty()) current.reserve(ref.stored);
    const auto n = std::min<std::uint64_t>(data.size(), ref.stored - current.size());
    current.append(reinterpret_cast<const char*>(data.data()), n);
    position_ += n;
    data = data.subspan(n);
    if (current.size() < ref.stored) continue;
    engine_->frame_complete(*this, next++, std::exchange(current, {}), current_from);
    current_from = OriginSet{1} << choice.origin;
  }
  return Flow::proceed;
}

void FrameTransfer::on_done(Status status) {
  // As fetch/attempt.cc: what a source keeps of this holds nobody.
  const Activity inside(engine_->occupancy());
  engine_->transfer_done(shared_from_this(), std::move(status));
  engine_.reset();
}

}  // namespace lazyvol::fetch
