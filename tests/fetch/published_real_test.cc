// Published files over real servers and the real cache.
#include <gtest/gtest.h>

#include <thread>

#include "real_world.h"
#include "rig.h"
#include "support/servers.h"
#include "support/temp_dir.h"
#include "test_volume.h"

namespace lazyvol::fetch::testing {
namespace {

using lazyvol::testing::Nginx;
using lazyvol::testing::Relay;
using lazyvol::testing::TempDir;
using lazyvol::testing::write_file;

class PublishedReal : public ::testing::Test {
 protected:
  PublishedReal() {
    for (const Pack& pack : volume_.packs) {
      write_file(root() / pack.path, pack.bytes);
      stored_ += pack.stored();
    }
  }

  /// Made once: it takes longer than the tests.
  static const TestVolume& shared_volume() {
    static const TestVolume volume = [] {
      TestVolume made;
      for (std::uint64_t i = 0; i < 400; ++i) {
        made.add("s" + std::to_string(i), compressible(100 + i * 97, i), 256 * kKiB);
      }
      made.add("long", pattern(17 * kMiB + 4321, 5), 3 * kMiB + 333);
      made.add("mapped", compressible(9 * kMiB + 17, 6), 100'000);
      made.build();
      return made;
    }();
    return volume;
  }

  std::filesystem::path root() const { return dir_.path() / "www"; }
  std::filesystem::path cache() const { return dir_.path() / "cache"; }
  static std::string through(const Relay& relay) {
    return "http://127.0.0.1:" + std::to_string(relay.port()) + "/";
  }

  /// Reads all files as the kernel would; answers with the number of those that came wrong.
  int read_all(RealPublished& world, std::size_t first = 0, std::size_t step = 1) {
    int wrong = 0;
    for (std::size_t i = first; i < volume_.entries.size(); i += step) {
      const auto content = world.fetcher().open(volume_.entries[i]);
      ContentReader reader(content, world.fetcher().options());
      std::string bytes;
      while (bytes.size() < content->ref().size) {
        Answer answer(128 * kKiB);
        reader.read(bytes.size(), answer.out(), {}, answer.done());
        if (!answer.wait().ok()) {
          ADD_FAILURE() << answer.wait().error().message;
          break;
        }
        bytes += answer.bytes();
      }
      if (bytes != volume_.contents[i]) ++wrong;
    }
    return wrong;
  }

  static void await_rest(RealPublished& world) {
    eventually(
        [&] {
          const FetchStats s = world.fetcher().stats();
          return s.in_flight_bytes == 0 && s.in_flight_requests == 0 && s.waiting_reads == 0;
        },
        "all gauges at zero");
  }

  TempDir dir_;
  const TestVolume& volume_ = shared_volume();
  std::uint64_t stored_ = 0;
};

TEST_F(PublishedReal, EveryFrameOnceAndNoneAfterARestart) {
  Nginx server(root());
  {
    // Room for all frames in memory: one that leaves it between two readers of a long file is
    // fetched again, and a busy machine lets readers drift apart.
    FetchOptions roomy;
    roomy.max_request_bytes = 32 * kMiB;
    RealPublished world({server.url()}, cache(), roomy);
    std::vector<std::thread> readers;
    std::atomic<int> wrong{0};
    for (std::size_t i = 0; i < 4; ++i) {
      readers.emplace_back([&, i] { wrong += read_all(world, i, i < 2 ? 2 : 1); });
    }
    for (auto& reader : readers) reader.join();
    EXPECT_EQ(wrong, 0);
    await_rest(world);
    EXPECT_EQ(world.fetcher().stats().bytes_fetched, stored_);
    ASSERT_TRUE(world.cache().commit().ok());
  }
  RealPublished again({server.url()}, cache());
  EXPECT_EQ(read_all(again), 0);
  EXPECT_EQ(again.fetcher().stats().bytes_fetched, 0u);
}

TEST_F(PublishedReal, OneOfThreeMirrorsFlipsBits) {
  Nginx server(root());
  Relay bad(server.port()), good(server.port());
  bad.set_corrupt_after(20'000);
  RealPublished world({through(bad), through(good), server.url()}, cache());
  EXPECT_EQ(read_all(world), 0);
  await_rest(world);
  EXPECT_GT(world.fetcher().frame_stats().corrupt, 0u);
  EXPECT_EQ(world.fetcher().frame_stats().failures, 0u);
}

TEST_F(PublishedReal, AMirrorWithoutPacksAndOneThatIsDown) {
  Nginx server(root());
  write_file(dir_.path() / "empty/x", "x");
  Nginx empty(dir_.path() / "empty");
  Nginx down(root());
  down.stop();
  RealPublished world({empty.url(), down.url(), server.url()}, cache());
  EXPECT_EQ(read_all(world), 0);
  EXPECT_GT(world.fetcher().frame_stats().missing_packs, 0u);
  EXPECT_GT(world.fetcher().frame_stats().failovers, 0u);
}

TEST_F(PublishedReal, ConnectionsThatBreakEveryMegabyteLoseNothing) {
  Nginx server(root());
  Relay relay(server.port());
  relay.set_cut_after(kMiB);
  RealPublished world({through(relay)}, cache());
  EXPECT_EQ(read_all(world), 0);
  await_rest(world);
  EXPECT_GT(world.fetcher().stats().retries, 0u);
  EXPECT_EQ(world.fetcher().frame_stats().corrupt, 0u);
}

TEST_F(PublishedReal, AnOutageGivesErrorsInTimeAndItsEndIsNoticed) {
  Nginx server(root());
  FetchOptions options;
  options.io_timeout = std::chrono::milliseconds(500);
  RealPublished world({server.url()}, cache(), options);
  const auto read = [&](std::size_t file) {
    auto answer = std::make_unique<Answer>(100);
    world.fetcher().open(volume_.entries[file])->read(0, answer->out(), {}, answer->done());
    return answer;
  };
  EXPECT_EQ(read(0)->bytes(), volume_.contents[0].substr(0, 100));
  await_rest(world);
  server.stop();
  EXPECT_EQ(read(0)->bytes(), volume_.contents[0].substr(0, 100));
  EXPECT_EQ(read(399)->code(), Code::unreachable);
  EXPECT_EQ(read(400)->code(), Code::unreachable);
  server.start();
  for (const std::size_t file : {399U, 400U, 401U}) {
    eventually(
        [&] {
          auto answer = read(file);
          return answer->wait().ok() && answer->bytes() == volume_.contents[file].substr(0, 100);
        },
        "the origin back");
  }
}

TEST_F(PublishedReal, ADirectory) {
  RealPublished world({root().string()}, cache());
  EXPECT_EQ(read_all(world), 0);
  await_rest(world);
  EXPECT_EQ(world.fetcher().stats().bytes_fetched, stored_);
}

}  // namespace
}  // namespace lazyvol::fetch::testing
