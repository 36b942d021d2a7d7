#include "volume/open_files.h"

#include <utility>

namespace lazyvol::volume {

OpenFile::OpenFile(std::unique_ptr<OpenFiles::Use> use,
                   const std::shared_ptr<fetch::Content>& content,
                   const fetch::FetchOptions& options, RecordedFile recorded, Reopen reopen)
    : shared_(std::make_shared<Shared>()) {
  shared_->use = std::move(use);
  shared_->options = options;
  shared_->recorded = std::move(recorded);
  shared_->reopen = std::move(reopen);
  *shared_->version.lock() = version_of(content, options);
}

OpenFile::Version OpenFile::version_of(const std::shared_ptr<fetch::Content>& content,
                                       const fetch::FetchOptions& options) {
  return {content, std::make_shared<fetch::ContentReader>(content, options)};
}

std::uint64_t OpenFile::size() const {
  return shared_->version.lock()->content->ref().size;
}

std::unique_ptr<LocalFile> OpenFile::local() {
  if (shared_->reopen || shared_->recorded.active()) return nullptr;
  const auto content = shared_->version.lock()->content;
  return content->local();
}

void OpenFile::read(std::uint64_t offset, std::span<std::byte> out, RequestContext ctx,
                    ReadDone done) {
  shared_->recorded.note(offset, out.size());
  const auto reader = shared_->version.lock()->reader;
  if (!shared_->reopen) return reader->read(offset, out, std::move(ctx), std::move(done));
  // The read keeps the reader: its closing cancels what it asked for.
  reader->read(offset, out, ctx,
               [shared = shared_, reader, offset, out, ctx,
                done = std::move(done)](Result<std::size_t> got) {
                 if (got.ok() || got.error().code != Code::stale) return done(std::move(got));
                 read_again(shared, offset, out, ctx, done);
               });
}

void OpenFile::read_again(const std::shared_ptr<Shared>& shared, std::uint64_t offset,
                          std::span<std::byte> out, const RequestContext& ctx, ReadDone done) {
  shared->reopen(ctx, [shared, offset, out, ctx,
                       done = std::move(done)](Result<std::shared_ptr<fetch::Content>> content) {
    if (!content.ok()) return done(content.error());
    Version version = version_of(*content, shared->options);
    const auto reader = version.reader;
    *shared->version.lock() = std::move(version);
    reader->read(offset, out, ctx,
                 [reader, done](Result<std::size_t> got) { done(std::move(got)); });
  });
}

}  // namespace lazyvol::volume
