// An open file of a published volume.
#pragma once

#include <memory>
#include <utility>

#include "fetch/fetcher.h"
#include "lazyvol/volume.h"
#include "volume/access_recorder.h"
#include "volume/open_table.h"

namespace lazyvol::volume {

/// What is known of a file while it is open: stat(2) and open(2) of its node work, whatever
/// revision is shown.
struct PublishedOpen {
  Node node;  ///< with a TTL of 0
  std::shared_ptr<fetch::Content> content;
};
using PublishedOpenFiles = OpenTable<PublishedOpen>;

class PublishedFile final : public File {
 public:
  PublishedFile(std::unique_ptr<PublishedOpenFiles::Use> use,
                const std::shared_ptr<fetch::Content>& content, const fetch::FetchOptions& options,
                RecordedFile recorded)
      : use_(std::move(use)),
        recorded_(std::move(recorded)),
        content_(content),
        reader_(content, options) {}

  std::uint64_t size() const override { return content_->ref().size; }
  /// Always: the publisher gives other bytes another id.
  bool keep_cache() const override { return true; }
  void read(std::uint64_t offset, std::span<std::byte> out, RequestContext ctx,
            ReadDone done) override {
    recorded_.note(offset, out.size());
    reader_.read(offset, out, std::move(ctx), std::move(done));
  }
  std::unique_ptr<LocalFile> local() override {
    return recorded_.active() ? nullptr : content_->local();
  }

 private:
  const std::unique_ptr<PublishedOpenFiles::Use> use_;
  const RecordedFile recorded_;
  const std::shared_ptr<fetch::Content> content_;
  fetch::ContentReader reader_;
};

}  // namespace lazyvol::volume
