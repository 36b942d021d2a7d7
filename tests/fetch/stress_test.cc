// Random readers against a source with random faults; every byte is compared.
#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>

#include "auto_source.h"
#include "rig.h"

namespace lazyvol::fetch::testing {
namespace {

struct Weather {
  bool ranges = true;
  bool cache = true;
  std::uint64_t memory = 6 * kMiB;
};

class Script {
 public:
  Script(std::uint64_t seed, Weather weather) : rng_(seed), weather_(weather) {}
  AutoSource::Behaviour operator()(const ReadRequest& request) {
    AutoSource::Behaviour b;
    b.chunk = std::size_t{1} << (10 + rng_() % 9);  // 1 to 256 KiB
    b.whole = !weather_.ranges;
    const std::uint64_t length = b.whole ? 2 * kMiB : request.length;
    switch (rng_() % 10) {
      case 0:
        b.refuse = Error{Code::unreachable, "refused"};
        break;
      case 1:
        b.refuse = Error{Code::throttled, "later", std::chrono::milliseconds(5)};
        break;
      case 2:
      case 3:
        b.cut_after = rng_() % length;
        break;
      case 4:
        b.inline_answer = !b.whole;
        break;  // a paused stream cannot be served inline
      default:
        break;
    }
    return b;
  }

 private:
  std::mt19937_64 rng_;  // under the source's lock
  const Weather weather_;
};

class Stress : public ::testing::TestWithParam<std::tuple<int, Weather>> {
 protected:
  static constexpr int kFiles = 4, kReaders = 8, kReadsEach = 60;

  void reader(Rig<AutoSource>& rig, const std::vector<std::string>& files, std::uint64_t seed) {
    std::mt19937_64 rng(seed);
    std::shared_ptr<Content> content;
    std::unique_ptr<ContentReader> reader;
    std::uint64_t file = 0, next = 0;
    for (int i = 0; i < kReadsEach; ++i) {
      if (!reader || rng() % 16 == 0) {
        file = rng() % kFiles;
        reader.reset();
        content = rig.fetcher->open(rig.ref(std::to_string(file), files[file].size()));
        reader = std::make_unique<ContentReader>(content, rig.fetcher->options());
        next = 0;
      }
      const std::string& bytes = files[file];
      const std::uint64_t at = rng() % 3 == 0 ? rng() % bytes.size() : next;
      const std::size_t size = 1 + rng() % (512 * kKiB);
      next = at + size >= bytes.size() ? 0 : at + size;
      std::stop_source stop;
      RequestContext ctx;
      ctx.stop = stop.get_token();
      Answer answer(size);
      reader->read(at, answer.out(), ctx, answer.done());
      if (rng() % 8 == 0) stop.request_stop();
      if (rng() % 32 == 0) rig.cache->content(content->ref().key, bytes.size())->evict();
      if (answer.wait().ok()) {
        ASSERT_TRUE(answer.bytes() == bytes.substr(at, size)) << "file " << file << " at " << at;
        ++read_;
      } else {
        ASSERT_EQ(answer.code(), Code::cancelled) << answer.wait().error().message;
      }
    }
  }

  std::atomic<int> read_{0};
};

TEST_P(Stress, EveryByteIsRightAndAllComesToRest) {
  const auto [seed_number, weather] = GetParam();
  const auto seed = static_cast<std::uint64_t>(seed_number);
  RecordProperty("seed", seed_number);
  SCOPED_TRACE("seed " + std::to_string(seed));
  FetchOptions options = Rig<AutoSource>::defaults();
  options.io_retries = 1000;
  options.io_timeout = std::chrono::seconds(60);
  options.max_requests = 4;
  options.max_request_bytes = kMiB;
  options.max_readahead = 4 * kMiB;
  Rig<AutoSource> rig(options, weather.memory);
  rig.source->script = Script(seed, weather);
  rig.cache->fail_stores(!weather.cache);
  std::vector<std::string> files;
  for (std::uint64_t i = 0; i < kFiles; ++i) {
    files.push_back(pattern(500'000 + i * 700'001, seed + i));
    rig.source->put(std::to_string(i), files.back());
  }
  std::vector<std::thread> readers;
  for (std::uint64_t r = 0; r < kReaders; ++r) {
    readers.emplace_back([&, r] { reader(rig, files, seed * 1000 + r); });
  }
  for (auto& thread : readers) thread.join();
  EXPECT_GT(read_, kReaders * kReadsEach / 2);
  rig.await_rest();
  // A whole-object stream may have to find a place for one chunk beyond its blocks.
  EXPECT_LE(rig.stats().peak_bytes, weather.memory + (weather.ranges ? 0 : 4 * kBlock));
}

INSTANTIATE_TEST_SUITE_P(Fair, Stress,
                         ::testing::Combine(::testing::Range(1, 7), ::testing::Values(Weather{})));
INSTANTIATE_TEST_SUITE_P(NoCache, Stress,
                         ::testing::Combine(::testing::Range(11, 14),
                                            ::testing::Values(Weather{.cache = false})));
INSTANTIATE_TEST_SUITE_P(NoRanges, Stress,
                         ::testing::Combine(::testing::Range(21, 25),
                                            ::testing::Values(Weather{.ranges = false})));
INSTANTIATE_TEST_SUITE_P(LittleMemory, Stress,
                         ::testing::Combine(::testing::Range(31, 35),
                                            ::testing::Values(Weather{.memory = kMiB})));

}  // namespace
}  // namespace lazyvol::fetch::testing
