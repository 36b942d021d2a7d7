#include "volume/published_readahead.h"

#include <algorithm>
#include <unordered_set>
#include <utility>
#include <vector>

namespace lazyvol::volume {

/// What follows a place in the catalog's order.
struct PublishedReadahead::Found {
  std::vector<catalog::FrameRef> frames;
  std::string half, last;  ///< keys: of the entry half the frames on, of the last one
};

/// Looks behind `place` for so many frames of small files, and so many bytes of them; not further
/// than the catalog is at hand.
PublishedReadahead::Found PublishedReadahead::look_ahead(const Revision& revision,
                                                         const catalog::Place& place,
                                                         std::size_t frames, std::uint64_t bytes) {
  constexpr std::size_t kEntries = 1 << 14;  // of empty or long files only, say
  Found found;
  std::unordered_set<catalog::Digest, catalog::DigestHash> seen;
  std::uint64_t sum = 0;
  std::size_t entries = 0;
  const auto add = [&](const catalog::Entry& entry) {
    const auto* list = std::get_if<catalog::PieceContent>(&entry.content);
    if (list == nullptr || entry.size >= fetch::kLongFile) return;
    for (const catalog::Piece& piece : list->pieces) {
      if (!seen.insert(piece.frame.hash).second) continue;
      sum += piece.frame.raw;
      found.frames.push_back(piece.frame);
    }
  };
  revision.visit_at_hand(
      place.directory, catalog::key_after(place.name), [&](const catalog::Entry& entry) {
        add(entry);
        found.last = catalog::name_key(entry.directory, entry.name);
        if (found.frames.size() * 2 <= frames) found.half = found.last;
        return ++entries < kEntries && found.frames.size() < frames && sum < bytes;
      });
  return found;
}

std::optional<PublishedReadahead::Stream> PublishedReadahead::take(const Revision& revision,
                                                                   const std::string& key) {
  const auto streams = streams_.lock();
  for (auto stream = streams->begin(); stream != streams->end(); ++stream) {
    if (stream->switches != revision.switches() || key <= stream->at || key > stream->until) {
      continue;
    }
    Stream taken = std::move(*stream);
    streams->erase(stream);
    return taken;
  }
  return std::nullopt;
}

void PublishedReadahead::put(Stream stream) {
  const auto streams = streams_.lock();
  streams->push_front(std::move(stream));
  if (streams->size() > kStreams) streams->pop_back();
}

void PublishedReadahead::opened(const Revision& revision, const catalog::Entry& file,
                                const fetch::Content& content, RequestContext ctx) {
  if (max_bytes_ == 0 || file.size >= fetch::kLongFile) return;
  std::string key = catalog::name_key(file.directory, file.name);
  if (auto stream = take(revision, key)) {
    stream->at = std::move(key);
    const bool due = stream->frames == 0 || stream->at >= stream->half;
    if (due) go_on(revision, *stream, std::move(ctx));
    return put(std::move(*stream));
  }
  if (content.has(0, file.size)) return;  // nothing to gain, as far as anybody knows
  Stream stream;
  stream.switches = revision.switches();
  stream.at = std::move(key);
  std::size_t entries = 0;
  revision.visit_at_hand(file.directory, catalog::key_after(file.name),
                         [&](const catalog::Entry& entry) {
                           stream.until = catalog::name_key(entry.directory, entry.name);
                           return ++entries < kReach;
                         });
  if (!stream.until.empty()) put(std::move(stream));
}

void PublishedReadahead::go_on(const Revision& revision, Stream& stream, RequestContext ctx) {
  // A stream that was only guessed begins at the file that confirmed it.
  const auto from = catalog::parse_name_key(stream.frames == 0 ? stream.at : stream.until);
  stream.frames = std::clamp(2 * stream.frames, kFirstFrames, kMaxFrames);
  const std::uint64_t bytes = std::min(max_bytes_, fetcher_.frames().allowance());
  if (bytes == 0 || !from.ok()) return;
  Found ahead = look_ahead(revision, *from, stream.frames, bytes);
  if (ahead.last.empty()) return;
  stream.until = ahead.last;
  stream.half = ahead.half.empty() ? ahead.last : ahead.half;
  ctx.priority = Priority::readahead;
  ctx.cause = Cause::readahead;
  if (!ahead.frames.empty()) {
    fetcher_.frames().want(std::move(ahead.frames), fetch::FrameUse::bundle, std::move(ctx),
                           nullptr);
  }
}

}  // namespace lazyvol::volume
