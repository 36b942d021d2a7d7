#include "volume/sibling_readahead.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "volume/live_content.h"
#include "volume/walk_order.h"

namespace lazyvol::volume {

std::optional<SiblingReadahead::Stream> SiblingReadahead::take(NodeId directory,
                                                               std::size_t position) {
  const auto state = state_.lock();
  auto& streams = state->streams;
  for (auto stream = streams.begin(); stream != streams.end(); ++stream) {
    if (stream->directory != directory || position <= stream->at || position > stream->until) {
      continue;
    }
    const Stream taken = *stream;
    streams.erase(stream);
    return taken;
  }
  return std::nullopt;
}

void SiblingReadahead::put(Stream stream) {
  const auto state = state_.lock();
  state->streams.push_front(stream);
  if (state->streams.size() > kStreams) state->streams.pop_back();
}

/// A stream that is still to be confirmed, unless one came from the directory before.
SiblingReadahead::Stream SiblingReadahead::begin(NodeId directory) {
  Stream stream;
  stream.directory = directory;
  const Stream before = state_.lock()->fetched;
  if (before.files == 0 || before.directory == directory) return stream;
  const auto place = core_->tree.place(directory);
  if (!place.ok() || !*place) return stream;
  if (comes_soon_after(core_->tree, before.directory, (*place)->parent, (*place)->name)) {
    stream.opens = kConfirmed;
    stream.files = before.files / 2;
  }
  return stream;
}

void SiblingReadahead::opened(NodeId parent, const std::string& name,
                              const fetch::Content& content) {
  const std::uint64_t size = content.ref().size;
  if (max_bytes_ == 0 || size >= kSmallFile) return;
  const auto position = core_->tree.position(parent, name);
  if (!position) return;
  auto stream = take(parent, *position);
  if (!stream) {
    if (content.has(0, size)) return;  // nothing to gain, as far as anybody knows
    stream = begin(parent);
    stream->until = *position;
  } else {
    ++stream->opens;
  }
  stream->at = *position;
  if (stream->opens < kConfirmed) {
    stream->until = stream->at + kReach;
  } else if (stream->files == 0 || stream->at >= stream->half) {
    if (!go_on(*stream, content.readahead_allowance())) return;
  }
  put(*stream);
}

/// False at the end of the directory, where a stream ends.
bool SiblingReadahead::go_on(Stream& stream, std::uint64_t allowance) {
  constexpr std::size_t kLook = 4;  // positions for each file: directories lie between them
  const std::size_t from = (stream.files == 0 ? stream.at : stream.until) + 1;
  const std::uint64_t most = std::min(max_bytes_, allowance);
  if (most == 0) return true;
  stream.files = std::clamp(2 * stream.files, kFirstFiles, kMaxFiles);
  std::vector<std::string> chosen;
  std::uint64_t bytes = 0;
  std::size_t at = from;
  for (auto& entry : core_->tree.slice(stream.directory, from, from + kLook * stream.files)) {
    if (chosen.size() == stream.files || bytes >= most) break;
    stream.until = at++;
    const std::uint64_t size = entry.remote.size.value_or(0);
    if (entry.remote.type != NodeType::file || size >= kSmallFile) continue;
    bytes += size;
    chosen.push_back(std::move(entry.remote.name));
    if (chosen.size() * 2 <= stream.files) stream.half = stream.until;
  }
  if (!chosen.empty()) state_.lock()->fetched = stream;
  for (const auto& name : chosen) fetch(stream.directory, name);
  return at != from;
}

void SiblingReadahead::fetch(NodeId parent, const std::string& name) {
  const auto token = core_->activity->enter();
  if (!token) return;
  RequestContext ctx = core_->shared_context({}, false);
  ctx.priority = Priority::readahead;
  ctx.cause = Cause::readahead;
  // As it is now: others ask about the same entries.
  const auto now = core_->tree.find(parent, name);
  if (!now.ok() || !*now) return;
  entry_stats_->ensure(
      parent, **now, ctx,
      [self = shared_from_this(), parent, ctx, token](const Result<KnownEntry>& known) {
        if (!known.ok()) return;
        auto ref = live_content(*self->core_, parent, known->entry.remote);
        if (!ref.ok() || ref->size == 0 || ref->size >= kSmallFile) return;
        const std::uint64_t size = ref->size;
        const auto content = self->fetcher_->open(*std::move(ref));
        if (content->has(0, size)) return;
        // It stays open until its bytes have come.
        content->want(0, size, ctx, [content, token](const Status&) {});
      });
}

}  // namespace lazyvol::volume
