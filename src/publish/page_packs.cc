#include "publish/page_packs.h"

#include <utility>

namespace lazyvol::publish {
namespace {

// Pages are fetched far more often than they are made.
constexpr int kPageLevel = 9;

}  // namespace

Result<std::shared_ptr<const std::string>> RememberingReader::read(const catalog::FrameRef& ref) {
  LAZYVOL_TRY_ASSIGN(auto page, reader_.read(ref));
  known_.emplace(catalog::sha256(*page), ref);
  return page;
}

PagePacks::PagePacks(Store& store, const Limits& limits, unsigned threads, Progress& progress)
    : limits_(limits),
      progress_(progress),
      pack_(store, catalog::PackKind::metadata, limits),
      workers_("lv-pages", threads) {}

PagePacks::~PagePacks() {
  *stopping_.lock() = true;
  workers_.stop();
}

Status PagePacks::write(std::string page) {
  LAZYVOL_TRY(progress_.check());
  progress_.tick();
  const auto known = known_.empty() ? known_.end() : known_.find(catalog::sha256(page));
  if (known != known_.end()) {
    refs_.push_back(known->second);
    return {};
  }
  refs_.emplace_back();
  const auto job = std::make_shared<Job>();
  job->page = std::move(page);
  jobs_.emplace_back(refs_.size() - 1, job);
  workers_.submit([this, job] {
    if (*stopping_.lock()) return;
    auto frame = catalog::encode_frame(job->page, kPageLevel);
    const auto lock = stopping_.lock();
    job->page = {};
    job->frame = std::move(frame);
    compressed_.notify_one();
  });
  return jobs_.size() > limits_.pages_ahead ? store_first() : Status();
}

Status PagePacks::store_first() {
  const auto [number, job] = jobs_.front();
  jobs_.pop_front();
  {
    auto lock = stopping_.lock();
    compressed_.wait(lock.native(), [&, &one = job] { return one->frame.has_value(); });
  }
  if (!job->frame->ok()) return job->frame->error();
  const catalog::EncodedFrame& frame = **job->frame;
  LAZYVOL_TRY(pack_.add(frame));
  in_pack_.push_back(number);
  progress_.bytes_stored.fetch_add(frame.bytes.size(), std::memory_order_relaxed);
  return pack_.is_full() ? close_pack() : Status();
}

Status PagePacks::close_pack() {
  LAZYVOL_TRY_ASSIGN(const StoredPack pack, pack_.close());
  for (std::size_t i = 0; i < in_pack_.size(); ++i) refs_[in_pack_[i]] = pack.frames[i];
  in_pack_.clear();
  bytes_ += pack.bytes;
  ++packs_;
  return {};
}

Result<std::vector<catalog::FrameRef>> PagePacks::seal() {
  while (!jobs_.empty()) LAZYVOL_TRY(store_first());
  if (pack_.is_open()) LAZYVOL_TRY(close_pack());
  return std::exchange(refs_, {});
}

}  // namespace lazyvol::publish
