// A Source whose files are long published files, put together from frames: what the engine of long
// files reads from.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

#include "base/locked.h"
#include "catalog/entry.h"
#include "fetch/frame_store.h"
#include "lazyvol/source.h"

namespace lazyvol::fetch {

/// Only read() works: a published volume's names and attributes are in its catalog. A ReadRequest's
/// validator says which file is meant, its path is for messages. Errors are those of
/// FrameStore::get(), which has retried what is worth it: whoever reads need not. Never `stale`:
/// the bytes of a revision do not change.
class FrameSource final : public Source, public std::enable_shared_from_this<FrameSource> {
 public:
  /// What is known of a file.
  struct File {
    catalog::Content content;
    std::uint64_t size = 0;
  };

  FrameSource(std::shared_ptr<FrameStore> store, std::string display)
      : store_(std::move(store)), display_(std::move(display)) {}

  /// Makes a file readable under `validator` for as long as the answer is held.
  std::shared_ptr<const File> attach(const std::string& validator, const catalog::Entry& entry);

  SourceTraits traits() const override { return {"published", display_}; }
  void list(std::string path, std::string known_validator, RequestContext ctx,
            ListDone done) override;
  void stat(std::string path, RequestContext ctx, StatDone done) override;
  /// The frames of the whole range are asked for at once, and handed over in order as they come.
  std::shared_ptr<Transfer> read(ReadRequest request, std::shared_ptr<ReadSink> sink,
                                 RequestContext ctx) override;

 private:
  void detached(const std::string& validator);

  const std::shared_ptr<FrameStore> store_;
  const std::string display_;
  base::Locked<std::unordered_map<std::string, std::weak_ptr<const File>>> files_;
};

}  // namespace lazyvol::fetch
