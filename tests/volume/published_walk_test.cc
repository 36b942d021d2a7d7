// Prefetch, evict and hot packs of published volumes.
#include "catalog/pack.h"
#include "published_fixture.h"

namespace lazyvol::testing {
namespace {

class PublishedWalkTest : public PublishedTest {
 protected:
  void publish_tree() {
    for (int i = 0; i < 120; ++i) {
      const std::string path = "d/" + std::to_string(i % 7) + "/file" + std::to_string(i);
      const auto size = static_cast<std::size_t>(i) * 50;
      origin_.put(path, noise(size, static_cast<std::uint64_t>(i)));
      bytes_ += size;
    }
    origin_.put("d/large", noise(1'500'000, 3));
    bytes_ += 1'500'000;
    origin_.put_symlink("d/link", "large");
    origin_.put("outside", noise(60'000, 4));
    origin_.publish();
  }
  std::uint64_t bytes_ = 0;
};

TEST_F(PublishedWalkTest, PrefetchFetchesATree) {
  publish_tree();
  open();
  const auto done = stack().prefetch("d");
  ASSERT_TRUE(done.ok()) << done.error().message;
  EXPECT_TRUE(done->finished);
  EXPECT_EQ(done->files_found, 121U);
  EXPECT_EQ(done->files_done, 121U);
  EXPECT_EQ(done->bytes_found, bytes_);
  EXPECT_EQ(done->bytes_done, bytes_);
  EXPECT_EQ(done->failures, 0U);
  gate_->fail("packs/", Code::unreachable);
  EXPECT_TRUE(content("d/3/file10") == noise(500, 10));
  EXPECT_TRUE(content("d/large") == noise(1'500'000, 3));
  EXPECT_TRUE(content("outside").ends_with(": unreachable"));
}

TEST_F(PublishedWalkTest, PrefetchOfOneFileAndOfAll) {
  publish_tree();
  open();
  EXPECT_EQ(stack().prefetch("d/6/file6")->files_done, 1U);
  EXPECT_EQ(stack().prefetch("")->files_done, 122U);
  EXPECT_EQ(stack().prefetch("none").error().code, Code::not_found);
  EXPECT_EQ(stack().prefetch("outside/below").error().code, Code::not_directory);
}

TEST_F(PublishedWalkTest, EvictDropsWhatIsCached) {
  publish_tree();
  open();
  ASSERT_TRUE(stack().prefetch("").ok());
  const auto freed = stack().evict("d");
  ASSERT_TRUE(freed.ok());
  EXPECT_GT(*freed, 100'000U);
  gate_->fail("packs/", Code::unreachable);
  EXPECT_EQ(content("d/3/file115"), "read: unreachable");
  EXPECT_TRUE(content("outside") == noise(60'000, 4));
  EXPECT_EQ(stack().evict("none").error().code, Code::not_found);
}

TEST_F(PublishedWalkTest, PrefetchCountsWhatFailsAndGoesOn) {
  publish_tree();
  open();
  ASSERT_EQ(names(origin_.id("d")).size(), 9U);
  const auto heal = damage(false);
  const auto done = stack().prefetch("d");
  ASSERT_TRUE(done.ok()) << done.error().message;
  EXPECT_GT(done->failures, 0U);
  EXPECT_EQ(done->failures + done->files_done, 121U);
  heal();
}

TEST_F(PublishedWalkTest, PrefetchStopsAndGivesUp) {
  publish_tree();
  open();
  gate_->hold("packs/");
  std::stop_source stop;
  RequestContext ctx;
  ctx.stop = stop.get_token();
  Answer<PrefetchProgress> answer;
  stack().volume().prefetch("d", ctx, nullptr, answer.done());
  ASSERT_TRUE(eventually([&] { return gate_->waiting() > 0; }));
  stop.request_stop();
  gate_->release();
  EXPECT_EQ(answer.get().error().code, Code::cancelled);
}

TEST_F(PublishedWalkTest, HotPacksAreFetchedAtMount) {
  origin_.put("start", noise(50'000, 1));
  origin_.publish();
  for (const auto& pack : origin_.packs(false)) {
    const std::string bytes = read_file(pack);
    origin_.head().hot_packs.push_back(
        {catalog::sha256(bytes), static_cast<std::uint32_t>(bytes.size())});
  }
  ASSERT_EQ(origin_.head().hot_packs.size(), 1U);
  origin_.publish();
  open();
  ASSERT_TRUE(eventually([&] { return published().frames.frames >= 1; }));
  ASSERT_TRUE(stack().open_file(origin_.id("start")).ok());
  ASSERT_EQ(code_of("start"), Code::busy);
  gate_->fail("packs/", Code::unreachable);
  EXPECT_TRUE(content("start") == noise(50'000, 1));
}

TEST_F(PublishedWalkTest, StopEndsWhatIsUnderWay) {
  publish_tree();
  open();
  gate_->hold("packs/");
  Answer<PrefetchProgress> prefetch;
  Answer<Node> lookup;
  stack().volume().prefetch("d", {}, nullptr, prefetch.done());
  stack().volume().lookup(kRootNode, "outside", {}, lookup.done());
  ASSERT_TRUE(eventually([&] { return gate_->waiting() > 0; }));
  std::thread stopper([&] { stack().volume().stop(); });
  EXPECT_EQ(prefetch.get().error().code, Code::cancelled);
  (void)lookup.get();
  gate_->release();
  stopper.join();
}

}  // namespace
}  // namespace lazyvol::testing
