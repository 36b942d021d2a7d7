// The engine over real sources (nginx, a directory) and the real cache.
#include <gtest/gtest.h>

#include <thread>

#include "real_world.h"
#include "rig.h"
#include "support/servers.h"
#include "support/temp_dir.h"

namespace lazyvol::fetch::testing {
namespace {

using lazyvol::testing::Nginx;
using lazyvol::testing::NginxOptions;
using lazyvol::testing::noise;
using lazyvol::testing::Relay;
using lazyvol::testing::TempDir;
using lazyvol::testing::write_file;

constexpr std::size_t kSize = 20 * kMiB + 4321;

class Real : public ::testing::Test {
 protected:
  Real() : bytes_(noise(kSize, 5)) { write_file(dir_.path() / "www" / "a b+%.bin", bytes_); }

  std::filesystem::path root() const { return dir_.path() / "www"; }
  std::filesystem::path cache() const { return dir_.path() / "cache"; }

  /// Reads all of it as the kernel would; answers with the number of wrong or failed reads.
  int read_all(RealWorld& world, const std::shared_ptr<Content>& content) {
    ContentReader reader(content, world.fetcher().options());
    int wrong = 0;
    std::vector<std::byte> out(128 * kKiB);
    for (std::uint64_t at = 0; at < kSize; at += out.size()) {
      Answer answer(out);
      reader.read(at, answer.out(), {}, answer.done());
      const bool right = answer.wait().ok() && answer.bytes() == part_of(bytes_, at, out.size());
      if (!right) ++wrong;
    }
    return wrong;
  }

  static std::uint64_t bytes_sent(const Nginx& server) {
    std::uint64_t sum = 0;
    for (const auto& line : server.access_log()) {
      if (line.method == "GET") sum += line.body_bytes;
    }
    return sum;
  }

  void await_rest(RealWorld& world) {
    eventually(
        [&] {
          const FetchStats s = world.fetcher().stats();
          return s.in_flight_bytes == 0 && s.in_flight_requests == 0 && s.waiting_reads == 0;
        },
        "all gauges at zero");
  }

  TempDir dir_;
  const std::string bytes_;
  const std::string name_ = "a b+%.bin";
};

TEST_F(Real, EightReadersFetchEachByteOnceAndARestartNone) {
  Nginx server(root());
  {
    RealWorld world(server.url(), cache());
    auto content = world.open(name_);
    std::atomic<int> wrong{0};
    std::vector<std::thread> readers;
    for (int i = 0; i < 8; ++i) {
      readers.emplace_back([&] { wrong += read_all(world, content); });
    }
    for (auto& reader : readers) reader.join();
    EXPECT_EQ(wrong, 0);
    await_rest(world);
    EXPECT_EQ(world.fetcher().stats().bytes_fetched, kSize);
    eventually([&] { return bytes_sent(server) >= kSize; }, "the access log");
    EXPECT_EQ(bytes_sent(server), kSize);
    ASSERT_TRUE(world.cache().commit().ok());
  }
  RealWorld again(server.url(), cache());
  EXPECT_EQ(read_all(again, again.open(name_)), 0);
  EXPECT_EQ(again.fetcher().stats().bytes_fetched, 0u);
}

TEST_F(Real, AServerWithoutRangesIsReadWholeOnce) {
  NginxOptions options;
  options.extra_location = "max_ranges 0;";
  Nginx server(root(), options);
  RealWorld world(server.url(), cache());
  auto content = world.open(name_);
  Answer middle(1000);
  content->read(kSize / 2, middle.out(), {}, middle.done());
  EXPECT_EQ(read_all(world, content), 0);
  EXPECT_EQ(middle.bytes(), bytes_.substr(kSize / 2, 1000));
  await_rest(world);
  EXPECT_EQ(world.fetcher().stats().whole_fetches, 1u);
  EXPECT_EQ(world.fetcher().stats().bytes_fetched, kSize);
}

TEST_F(Real, ConnectionsThatBreakEveryMegabyteLoseNothing) {
  Nginx server(root());
  Relay relay(server.port());
  relay.set_cut_after(kMiB);
  RealWorld world("http://127.0.0.1:" + std::to_string(relay.port()) + "/", cache());
  auto content = world.open(name_);
  EXPECT_EQ(read_all(world, content), 0);
  EXPECT_GT(world.fetcher().stats().retries, 0u);
  await_rest(world);
}

TEST_F(Real, AnOutageGivesErrorsInTimeAndItsEndIsNoticed) {
  Nginx server(root());
  FetchOptions options;
  options.io_timeout = std::chrono::seconds(2);  // a busy machine answers within that, too
  RealWorld world(server.url(), cache(), options);
  auto content = world.open(name_);
  Answer cached(100);
  content->read(0, cached.out(), {}, cached.done());
  EXPECT_EQ(cached.bytes(), bytes_.substr(0, 100));
  await_rest(world);
  server.stop();
  Answer hit(100);
  content->read(0, hit.out(), {}, hit.done());
  EXPECT_EQ(hit.bytes(), bytes_.substr(0, 100));
  Answer miss(100);
  content->read(kSize / 2, miss.out(), {}, miss.done());
  EXPECT_EQ(miss.code(), Code::unreachable);
  server.start();
  eventually(
      [&] {
        Answer again(100);
        content->read(kSize / 2, again.out(), {}, again.done());
        return again.wait().ok() && again.bytes() == bytes_.substr(kSize / 2, 100);
      },
      "the origin back");
}

TEST_F(Real, AReplacedFileIsStaleForItsOldReaders) {
  Nginx server(root());
  RealWorld world(server.url(), cache());
  auto content = world.open(name_);
  Answer first(100);
  content->read(0, first.out(), {}, first.done());
  first.bytes();
  await_rest(world);
  write_file(root() / name_, noise(kSize + 1, 6));
  Answer cached(100);
  content->read(0, cached.out(), {}, cached.done());
  EXPECT_EQ(cached.bytes(), bytes_.substr(0, 100));
  Answer gone(100);
  content->read(kSize / 2, gone.out(), {}, gone.done());
  EXPECT_EQ(gone.code(), Code::stale);
  EXPECT_TRUE(content->stale());
}

TEST_F(Real, ADirectory) {
  {
    RealWorld world(root().string(), cache());
    auto content = world.open(name_);
    EXPECT_EQ(read_all(world, content), 0);
    await_rest(world);
    EXPECT_EQ(world.fetcher().stats().bytes_fetched, kSize);
    ASSERT_TRUE(world.cache().commit().ok());
  }
  RealWorld again(root().string(), cache());  // busy, if anything still held the cache
  EXPECT_EQ(read_all(again, again.open(name_)), 0);
  EXPECT_EQ(again.fetcher().stats().bytes_fetched, 0u);
}

}  // namespace
}  // namespace lazyvol::fetch::testing
