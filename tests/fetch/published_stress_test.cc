// Random readers of random files against origins with random faults; every byte is compared.
#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>

#include "published_rig.h"

namespace lazyvol::fetch::testing {
namespace {

struct Weather {
  std::size_t origins = 1;
  bool cache = true;
  std::uint64_t memory = 64 * kMiB;
};

/// Faults that another try heals; under the source's lock.
class Script {
 public:
  explicit Script(std::uint64_t seed) : rng_(seed) {}
  AutoSource::Behaviour operator()(const ReadRequest& request) {
    AutoSource::Behaviour b;
    b.chunk = std::size_t{1} << (10 + rng_() % 9);  // 1 to 256 KiB
    switch (rng_() % 24) {
      case 0:
        b.refuse = Error{Code::unreachable, "refused"};
        break;
      case 1:
        b.refuse = Error{Code::throttled, "later", std::chrono::milliseconds(5)};
        break;
      case 2:
      case 3:
        b.cut_after = rng_() % request.length;
        break;
      case 4:
        b.inline_answer = true;
        break;
      case 5:
        b.whole = request.offset < 2 * kMiB;
        break;
      case 6:
        b.flip = request.offset + rng_() % request.length;
        break;
      case 7:
        b.object_size = request.offset + rng_() % request.length;
        break;
      default:
        break;
    }
    return b;
  }

 private:
  std::mt19937_64 rng_;
};

class PublishedStress : public ::testing::TestWithParam<std::tuple<int, Weather>> {
 protected:
  static constexpr int kReaders = 8, kReadsEach = 60;

  static TestVolume make_volume(std::mt19937_64& rng) {
    TestVolume volume(20'000 + rng() % 200'000);
    for (std::uint64_t i = 0; i < 12; ++i) {
      std::string bytes = compressible(rng() % 300'000, rng());
      if (i % 4 == 0) bytes = pattern(kLongFile + rng() % (4 * kMiB), rng());
      if (i % 3 == 0) bytes.replace(bytes.size() / 3, bytes.size() / 4, bytes.size() / 4, '\0');
      volume.add_cut(
          "f" + std::to_string(i), bytes, [&] { return 1'000 + rng() % 100'000; }, i % 3 == 0);
    }
    volume.build();
    return volume;
  }

  void reader(PublishedRig& rig, const TestVolume& volume, std::uint64_t seed) {
    std::mt19937_64 rng(seed);
    std::unique_ptr<ContentReader> reader;
    std::size_t file = 0;
    std::uint64_t next = 0;
    for (int i = 0; i < kReadsEach; ++i) {
      if (!reader || rng() % 8 == 0) {
        file = rng() % volume.entries.size();
        reader = std::make_unique<ContentReader>(rig.fetcher->open(volume.entries[file]),
                                                 rig.fetcher->options());
        next = 0;
      }
      const std::string& bytes = volume.contents[file];
      const std::uint64_t at = rng() % 3 == 0 ? rng() % (bytes.size() + 1) : next;
      const std::size_t size = 1 + rng() % (512 * kKiB);
      next = at + size >= bytes.size() ? 0 : at + size;
      std::stop_source stop;
      RequestContext ctx;
      ctx.stop = stop.get_token();
      Answer answer(size);
      reader->read(at, answer.out(), ctx, answer.done());
      if (rng() % 8 == 0) stop.request_stop();
      if (rng() % 16 == 0) rig.fetcher->evict(volume.entries[rng() % volume.entries.size()]);
      if (answer.wait().ok()) {
        ASSERT_TRUE(answer.bytes() == bytes.substr(at, size)) << "file " << file << " at " << at;
        ++read_;
      } else if (answer.code() != Code::cancelled) {
        // An origin may lie three times about one frame, and is then believed to have no other.
        ASSERT_EQ(answer.code(), Code::corrupt) << answer.wait().error().message;
      }
    }
  }

  std::atomic<int> read_{0};
};

TEST_P(PublishedStress, EveryByteIsRightAndAllComesToRest) {
  const auto [seed_number, weather] = GetParam();
  const auto seed = static_cast<std::uint64_t>(seed_number);
  SCOPED_TRACE("seed " + std::to_string(seed));
  FetchOptions options = PublishedRig::defaults();
  options.io_retries = 1000;
  options.io_timeout = std::chrono::seconds(60);
  options.max_requests = 4;
  options.max_request_bytes = kMiB;
  options.max_readahead = 4 * kMiB;
  PublishedRig rig(options, weather.origins, weather.memory);
  for (std::size_t i = 0; i < weather.origins; ++i) rig.origins[i]->script = Script(seed * 10 + i);
  rig.cache->fail_stores(!weather.cache);
  std::mt19937_64 rng(seed);
  const TestVolume volume = make_volume(rng);
  rig.put(volume);
  std::vector<std::thread> readers;
  for (std::uint64_t r = 0; r < kReaders; ++r) {
    readers.emplace_back([&, r] { reader(rig, volume, seed * 1000 + r); });
  }
  for (auto& thread : readers) thread.join();
  EXPECT_GT(read_, kReaders * kReadsEach / 2);
  rig.await_rest();
  // Half for the blocks of long files, half for frames, but never less than one frame takes.
  EXPECT_LE(rig.fetcher->stats().peak_bytes,
            weather.memory / 2 + std::max(weather.memory / 2, 16 * kMiB));
}

INSTANTIATE_TEST_SUITE_P(OneOrigin, PublishedStress,
                         ::testing::Combine(::testing::Range(1, 5), ::testing::Values(Weather{})));
INSTANTIATE_TEST_SUITE_P(ThreeOrigins, PublishedStress,
                         ::testing::Combine(::testing::Range(11, 15),
                                            ::testing::Values(Weather{.origins = 3})));
INSTANTIATE_TEST_SUITE_P(NoCache, PublishedStress,
                         ::testing::Combine(::testing::Range(21, 24),
                                            ::testing::Values(Weather{.cache = false})));
INSTANTIATE_TEST_SUITE_P(LittleMemory, PublishedStress,
                         ::testing::Combine(::testing::Range(31, 34),
                                            ::testing::Values(Weather{.memory = 2 * kMiB})));

TEST(PublishedStop, AtAnyMoment) {
  for (std::uint64_t seed = 1; seed <= 15; ++seed) {
    std::mt19937_64 rng(seed);
    PublishedRig rig(PublishedRig::defaults(), 2);
    rig.origins[0]->script = Script(seed);
    TestVolume volume;
    for (std::uint64_t i = 0; i < 8; ++i) {
      volume.add("f" + std::to_string(i), compressible(1'000 + (i % 3) * kMiB, i), 30'000);
    }
    volume.build();
    rig.put(volume);
    std::vector<std::unique_ptr<Answer>> answers(64);
    std::thread reader([&] {
      for (std::size_t i = 0; i < answers.size(); ++i) {
        const auto& entry = volume.entries[i % volume.entries.size()];
        answers[i] = rig.read(rig.fetcher->open(entry), i * 100, 50'000);
      }
    });
    std::this_thread::sleep_for(std::chrono::microseconds(rng() % 3'000));
    rig.fetcher->stop();
    reader.join();
    for (auto& answer : answers) {
      EXPECT_TRUE(answer->wait().ok() || answer->code() == Code::cancelled);
    }
    rig.expect_at_rest();
  }
}

}  // namespace
}  // namespace lazyvol::fetch::testing
