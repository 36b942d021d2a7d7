// Pages and file maps into metadata packs: compressed in parallel, written in order.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/locked.h"
#include "base/workers.h"
#include "catalog/frame.h"
#include "catalog/page_store.h"
#include "lazyvol/error.h"
#include "publish/pack_writer.h"
#include "publish/progress.h"
#include "publish/publish_limits.h"
#include "publish/store.h"

namespace lazyvol::publish {

/// Pages that are stored already, by the hash of their bytes. Thread rule: one thread.
using KnownPages = std::unordered_map<catalog::Digest, catalog::FrameRef, catalog::DigestHash>;

/// A reader that remembers what it read, so that a page which is written again as it was keeps its
/// place. Thread rule: one thread.
class RememberingReader final : public catalog::PageReader {
 public:
  RememberingReader(catalog::PageReader& reader, KnownPages& known)
      : reader_(reader), known_(known) {}
  Result<std::shared_ptr<const std::string>> read(const catalog::FrameRef& ref) override;

 private:
  catalog::PageReader& reader_;
  KnownPages& known_;
};

/// Thread rule: one thread.
class PagePacks final : public catalog::PageWriter {
 public:
  /// All must outlive it.
  PagePacks(Store& store, const Limits& limits, unsigned threads, Progress& progress);
  ~PagePacks() override;

  /// Waits while more than Limits::pages_ahead are being compressed. Errors of both: those of the
  /// store; cancelled.
  Status write(std::string page) override;
  Result<std::vector<catalog::FrameRef>> seal() override;

  /// Pages that are equal to one of these are not stored.
  KnownPages& known() { return known_; }
  std::uint64_t bytes() const { return bytes_; }
  std::uint64_t packs() const { return packs_; }

 private:
  struct Job {
    std::string page;
    std::optional<Result<catalog::EncodedFrame>> frame;
  };
  Status store_first();
  Status close_pack();

  const Limits& limits_;
  Progress& progress_;
  KnownPages known_;
  PackWriter pack_;
  std::vector<std::size_t> in_pack_;     ///< which of `refs_` the frames of the open pack are
  std::vector<catalog::FrameRef> refs_;  ///< of the pages since the last seal
  std::deque<std::pair<std::size_t, std::shared_ptr<Job>>> jobs_;  ///< and their place in `refs_`
  std::uint64_t bytes_ = 0, packs_ = 0;

  std::condition_variable compressed_;
  base::Locked<bool> stopping_{false};  ///< its lock guards Job::frame
  base::Workers workers_;
};

}  // namespace lazyvol::publish
