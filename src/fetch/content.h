// An open content: answers hits itself, hands misses to the engine.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "fetch/counters.h"
#include "fetch/fetcher.h"
#include "fetch/flight.h"

namespace lazyvol::fetch {

class Engine;

class ContentImpl final : public Content, public std::enable_shared_from_this<ContentImpl> {
 public:
  ContentImpl(std::shared_ptr<Engine> engine, ContentRef ref,
              std::shared_ptr<cache::CachedContent> cached);
  ~ContentImpl() override;

  const ContentRef& ref() const override { return ref_; }
  void read(std::uint64_t offset, std::span<std::byte> out, RequestContext ctx,
            ReadDone done) override;
  void want(std::uint64_t begin, std::uint64_t end, RequestContext ctx,
            std::function<void(Status)> done) override;
  bool stale() const override { return stale_.load(std::memory_order_relaxed); }
  bool has(std::uint64_t begin, std::uint64_t end) const override;
  std::unique_ptr<LocalFile> local() override { return cached_->lend(); }
  std::uint64_t readahead_allowance() const override;

  const model::BlockLayout& layout() const { return layout_; }
  cache::CachedContent& cached() { return *cached_; }
  /// Guarded by the engine's lock.
  ContentFlights& flights() { return flights_; }
  /// True for the first caller.
  bool mark_stale() { return !stale_.exchange(true); }

 private:
  // constant
  const std::shared_ptr<Engine> engine_;
  const ContentRef ref_;
  const model::BlockLayout layout_;
  const std::shared_ptr<cache::CachedContent> cached_;
  const std::shared_ptr<Counters> counters_;
  // self-synchronised
  std::atomic<bool> stale_{false};
  // guarded by the engine's lock
  ContentFlights flights_;
};

}  // namespace lazyvol::fetch
