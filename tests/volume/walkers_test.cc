// Prefetch and evict.
#include "volume_fixture.h"

namespace lazyvol::testing {
namespace {

using WalkersTest = VolumeTest;

TEST_F(WalkersTest, PrefetchFetchesATreeAndEvictDropsIt) {
  use_inexact_listings();
  source().put_directory("d");
  source().put_directory("d/e");
  std::uint64_t bytes = 0;
  for (int i = 0; i < 30; ++i) {
    const std::string data = noise(1'000 * static_cast<std::size_t>(i), 7);
    bytes += data.size();
    source().put((i % 2 == 0 ? "d/f" : "d/e/f") + std::to_string(i), data, "v1");
  }
  source().put("outside", "x", "v1");
  open();
  const auto done = stack().prefetch("d");
  ASSERT_TRUE(done.ok());
  EXPECT_TRUE(done->finished);
  EXPECT_EQ(done->files_found, 30U);
  EXPECT_EQ(done->files_done, 30U);
  EXPECT_EQ(done->bytes_done, bytes);
  EXPECT_EQ(done->failures, 0U);
  EXPECT_EQ(source().count(Op::read, "outside"), 0U);

  const auto reads = source().count(Op::read);
  EXPECT_EQ(content(id_of("d/e/f29")).size(), 29'000U);
  EXPECT_EQ(source().count(Op::read), reads) << "served from the cache";

  const auto freed = stack().evict("d/e");
  ASSERT_TRUE(freed.ok());
  EXPECT_GT(*freed, 0U);
  EXPECT_EQ(content(id_of("d/f28")).size(), 28'000U);
  EXPECT_EQ(source().count(Op::read), reads) << "elsewhere nothing was dropped";
  EXPECT_EQ(content(id_of("d/e/f29")).size(), 29'000U);
  EXPECT_EQ(source().count(Op::read), reads + 1);
}

TEST_F(WalkersTest, PrefetchOfOneFile) {
  source().put("f", noise(600'000, 1), "v1");
  open();
  const auto done = stack().prefetch("f");
  ASSERT_TRUE(done.ok());
  EXPECT_EQ(done->files_done, 1U);
  EXPECT_EQ(done->bytes_done, 600'000U);
}

TEST_F(WalkersTest, PrefetchCountsFailuresAndGoesOn) {
  source().put_directory("d");
  source().put("d/bad", "x", "v1");
  source().put("d/good", "x", "v1");
  source().put_directory("d/closed");
  open();
  source().fail(Op::read, "d/bad", Code::access_denied);
  source().fail(Op::list, "d/closed", Code::access_denied);
  const auto done = stack().prefetch("d");
  ASSERT_TRUE(done.ok());
  EXPECT_EQ(done->failures, 2U);
  EXPECT_EQ(done->files_done, 1U);
}

TEST_F(WalkersTest, PrefetchGivesUpOnAnOriginThatIsDown) {
  source().put_directory("d");
  for (int i = 0; i < 1000; ++i) source().put("d/" + std::to_string(i), "x", "v1");
  model::MountOptions options;
  options.io_retries = 0;
  open(options);
  ASSERT_NE(id_of("d/0"), 0U);
  source().fail_all(Code::unreachable);
  const auto done = stack().prefetch("d");
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().code, Code::unreachable);
  EXPECT_LT(source().count(Op::read), 100U);
}

/// Between two failures the walk goes on with names that are known and files that are cached.
TEST_F(WalkersTest, PrefetchGivesUpWhenFailuresComeOneByOne) {
  source().put_directory("d");
  for (int i = 0; i < 200; ++i) source().put("d/" + std::to_string(i), "x", "v1");
  model::MountOptions options;
  options.io_retries = 0;
  options.prefetch = false;  // only what is asked for shall be cached
  open(options);
  for (int i = 0; i < 200; i += 2) EXPECT_EQ(content(id_of("d/" + std::to_string(i))), "x");
  await([&] { return stack().cache().stats().stored_blocks == 100; });
  source().before_read = [&work = stack().work()] { settle(work); };
  source().fail_all(Code::unreachable);
  const auto done = stack().prefetch("d");
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().code, Code::unreachable);
  EXPECT_LT(source().count(Op::read), 150U);
}

TEST_F(WalkersTest, PathsThatAreNotThere) {
  source().put("f", "x", "v1");
  open();
  EXPECT_EQ(stack().prefetch("none").error().code, Code::not_found);
  EXPECT_EQ(stack().prefetch("f/below").error().code, Code::not_directory);
  EXPECT_EQ(stack().evict("none").error().code, Code::not_found);
}

TEST_F(WalkersTest, PrefetchStops) {
  source().put_directory("d");
  source().put("d/f", "x", "v1");
  open();
  source().hold();
  std::stop_source stop;
  RequestContext ctx;
  ctx.stop = stop.get_token();
  Answer<PrefetchProgress> answer;
  stack().volume().prefetch("d", ctx, nullptr, answer.done());
  stop.request_stop();
  EXPECT_EQ(answer.get().error().code, Code::cancelled);
}

}  // namespace
}  // namespace lazyvol::testing
