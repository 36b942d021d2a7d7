// One reader of a content: what it read so far says what to fetch ahead.
#include <atomic>
#include <stop_token>
#include <utility>

#include "base/locked.h"
#include "fetch/fetcher.h"
#include "prefetch/stream_detector.h"

namespace lazyvol::fetch {

struct ContentReader::Impl {
  Impl(std::shared_ptr<Content> of, const FetchOptions& options)
      : content(std::move(of)),
        readahead(options.readahead),
        first_window(stream_options(options).first_window),
        detector(std::in_place, stream_options(options), content->ref().size) {}

  static prefetch::StreamOptions stream_options(const FetchOptions& options) {
    prefetch::StreamOptions stream;
    stream.max_window = options.max_readahead;
    return stream;
  }

  std::optional<prefetch::ByteRange> next(std::uint64_t offset, std::uint64_t length) {
    const std::uint64_t allowance = content->readahead_allowance();
    auto guard = detector.lock();
    guard->limit_window(allowance);
    return guard->on_read(offset, length);
  }

  void want(prefetch::ByteRange range, const RequestContext& read, Priority priority) {
    RequestContext ctx = read;
    ctx.priority = priority;
    ctx.cause = Cause::readahead;
    ctx.stop = closing.get_token();
    content->want(range.begin, range.end, std::move(ctx), nullptr);
  }

  /// Once per reader, at its first read of the start of a small file: true when something of the
  /// file is missing. Who reads the start reads all of it, most often.
  bool wants_whole(std::uint64_t offset) {
    const std::uint64_t size = content->ref().size;
    if (offset != 0 || size > first_window || looked_whole.exchange(true)) return false;
    if (content->readahead_allowance() < size) return false;
    return !content->has(0, size);
  }

  // constant
  const std::shared_ptr<Content> content;
  const bool readahead;
  const std::uint64_t first_window;
  // self-synchronised
  std::stop_source closing;
  base::Locked<prefetch::StreamDetector> detector;
  std::atomic<bool> looked_whole{false};
};

ContentReader::ContentReader(std::shared_ptr<Content> content, const FetchOptions& options)
    : impl_(std::make_shared<Impl>(std::move(content), options)) {}

ContentReader::~ContentReader() {
  impl_->closing.request_stop();
}

void ContentReader::read(std::uint64_t offset, std::span<std::byte> out, RequestContext ctx,
                         Content::ReadDone done) {
  const auto impl = impl_;  // `done` may destroy this reader
  const std::uint64_t size = impl->content->ref().size;
  if (!impl->readahead || offset >= size || out.empty()) {
    return impl->content->read(offset, out, std::move(ctx), std::move(done));
  }
  const auto ahead = impl->next(offset, out.size());
  if (impl->wants_whole(offset)) {
    impl->want({0, size}, ctx, ctx.priority);  // one request, which the read then joins
    return impl->content->read(offset, out, std::move(ctx), std::move(done));
  }
  RequestContext copy = ctx;
  impl->content->read(offset, out, std::move(ctx), std::move(done));
  if (ahead) impl->want(*ahead, copy, Priority::readahead);
}

}  // namespace lazyvol::fetch
