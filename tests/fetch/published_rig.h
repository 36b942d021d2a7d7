// A PublishedFetcher with everything that it needs, over origins and a cache that tests control.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "auto_source.h"
#include "fetch/published_fetcher.h"
#include "frame_rig.h"
#include "test_volume.h"

namespace lazyvol::fetch::testing {

class PublishedRig {
 public:
  explicit PublishedRig(FetchOptions options = defaults(), std::size_t origin_count = 1,
                        std::uint64_t memory = 64 * kMiB)
      : options_(options), memory_(memory) {
    for (std::size_t i = 0; i < origin_count; ++i) {
      origins.push_back(std::make_shared<AutoSource>());
    }
    restart();
  }
  ~PublishedRig() {
    cache->hold_stores(false);
    fetcher->stop();
    expect_at_rest();
  }

  static FetchOptions defaults() {
    FetchOptions options;
    options.io_timeout = std::chrono::seconds(20);  // no test waits for it unless it says so
    return options;
  }

  void restart() {
    if (fetcher) fetcher->stop();
    fetcher = PublishedFetcher::make({origins.begin(), origins.end()}, nullptr,
                                     FetchEnvironment{cache, timer, disk, memory_}, options_);
  }
  void put(const TestVolume& volume) {
    for (const auto& origin : origins) {
      for (const Pack& pack : volume.packs) origin->put(pack.path, pack.bytes);
    }
  }

  std::unique_ptr<Answer> read(const std::shared_ptr<Content>& content, std::uint64_t offset,
                               std::size_t size, RequestContext ctx = {}) {
    auto answer = std::make_unique<Answer>(size);
    content->read(offset, answer->out(), std::move(ctx), answer->done());
    return answer;
  }
  /// As the kernel reads a file: 128 KiB after 128 KiB.
  std::string read_all(const std::shared_ptr<Content>& content, std::size_t step = 128 * kKiB) {
    ContentReader reader(content, fetcher->options());
    std::string bytes;
    while (bytes.size() < content->ref().size) {
      Answer answer(step);
      reader.read(bytes.size(), answer.out(), {}, answer.done());
      const std::string part(answer.bytes());
      if (part.empty()) break;
      bytes += part;
    }
    return bytes;
  }
  std::optional<Code> hydrate(const catalog::Entry& file) {
    WantAnswer want;
    fetcher->hydrate(file, {}, want.done());
    return want.code();
  }

  bool at_rest() const {
    const FetchStats s = fetcher->stats();
    return s.in_flight_requests == 0 && s.in_flight_bytes == 0 && s.waiting_reads == 0 &&
           fetcher->frame_stats().waiting == 0;
  }
  void await_rest() {
    eventually([&] { return at_rest(); }, "all gauges at zero");
  }
  void expect_at_rest() const {
    EXPECT_EQ(fetcher->stats().in_flight_requests, 0u);
    EXPECT_EQ(fetcher->stats().in_flight_bytes, 0u);
    EXPECT_EQ(fetcher->stats().waiting_reads, 0u);
    EXPECT_EQ(fetcher->frame_stats().waiting, 0u);
  }

  std::vector<std::shared_ptr<AutoSource>> origins;
  std::shared_ptr<MemoryCache> cache = std::make_shared<MemoryCache>();
  base::TimerQueue timer;
  base::Workers disk{"disk", 2};

 private:
  const FetchOptions options_;
  const std::uint64_t memory_;

 public:
  std::shared_ptr<PublishedFetcher> fetcher;
};

}  // namespace lazyvol::fetch::testing
