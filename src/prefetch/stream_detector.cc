#include "prefetch/stream_detector.h"

#include <algorithm>

namespace lazyvol::prefetch {
namespace {

/// Once the window is wide, ask in pieces of this much instead of waiting until half is consumed:
/// it is the size of one large range request.
constexpr std::uint64_t kPiece = 8ULL << 20;
/// Density is judged over about this distance: halved beyond, so that a stream that turns strided
/// is noticed soon.
constexpr std::uint64_t kMemory = 8ULL << 20;

std::uint64_t distance(std::uint64_t a, std::uint64_t b) {
  return a > b ? a - b : b - a;
}

}  // namespace

StreamDetector::StreamDetector(StreamOptions options, std::uint64_t file_size)
    : options_(options), limit_(options.max_window), file_size_(file_size) {}

void StreamDetector::limit_window(std::uint64_t bytes) {
  limit_ = std::min(bytes, options_.max_window);
}

std::optional<ByteRange> StreamDetector::on_read(std::uint64_t offset, std::uint64_t length) {
  if (offset >= file_size_ || length == 0) return std::nullopt;
  length = std::min(length, file_size_ - offset);
  ++tick_;

  Stream* stream = find(offset, length);
  random_ = stream == nullptr;
  if (stream == nullptr) {
    stream = &start(offset);
  } else {
    ++stream->hits;
  }
  stream->used = tick_;
  advance(*stream, offset, length);

  stream->proven = sequential(*stream);
  if (stream->proven) return ask(*stream);
  stream->run = 0;  // turned scattered: what was fetched ahead is not being consumed
  return std::nullopt;
}

StreamDetector::Stream* StreamDetector::find(std::uint64_t offset, std::uint64_t length) {
  Stream* best = nullptr;
  std::uint64_t best_distance = 0;
  for (Stream& stream : streams_) {
    // Overlapping the frontier, or near it: the kernel's requests overtake each other, and readers
    // take small steps back.
    const std::uint64_t gap =
        offset <= stream.next && stream.next - offset <= length ? 0 : distance(offset, stream.next);
    if (gap > options_.back_seek_kept) continue;
    if (best == nullptr || gap < best_distance) {
      best = &stream;
      best_distance = gap;
    }
  }
  return best;
}

StreamDetector::Stream& StreamDetector::start(std::uint64_t offset) {
  if (streams_.size() < options_.max_streams) {
    streams_.emplace_back();
  } else {
    auto oldest =
        std::min_element(streams_.begin(), streams_.end(),
                         [](const Stream& a, const Stream& b) { return a.used < b.used; });
    std::swap(*oldest, streams_.back());
  }
  streams_.back() = Stream{.next = offset, .begin = offset};
  return streams_.back();
}

void StreamDetector::advance(Stream& stream, std::uint64_t offset, std::uint64_t length) {
  const std::uint64_t next = std::max(stream.next, offset + length);
  stream.run += next - stream.next;
  stream.next = next;
  // While a stream proves itself, a read before its start (overtaken, or chance) widens the span;
  // later it is a small step back.
  if (!stream.proven) stream.begin = std::min(stream.begin, offset);
  stream.consumed = std::min(stream.consumed + length, stream.next - stream.begin);
  while (stream.next - stream.begin > kMemory) {
    stream.begin += (stream.next - stream.begin) / 2;
    stream.consumed /= 2;
  }
}

bool StreamDetector::sequential(const Stream& stream) const {
  return stream.hits + 1 >= options_.sequential_after &&
         stream.consumed >= (stream.next - stream.begin) / 2;
}

std::optional<ByteRange> StreamDetector::ask(Stream& stream) const {
  if (limit_ == 0) return std::nullopt;
  const std::uint64_t floor = std::max(stream.ahead, stream.next);
  const std::uint64_t under_way = floor - stream.next;
  const std::uint64_t earned = std::max(options_.first_window, options_.growth * stream.run);
  const std::uint64_t window = std::min({earned, options_.max_window, limit_});
  if (under_way >= window) return std::nullopt;
  const bool worth_it = under_way <= window / 2 || window - under_way >= kPiece;
  if (!worth_it) return std::nullopt;

  const ByteRange range{floor, std::min(stream.next + window, file_size_)};
  if (range.begin >= range.end) return std::nullopt;
  stream.ahead = range.end;
  return range;
}

}  // namespace lazyvol::prefetch
