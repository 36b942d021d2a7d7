// The pure policies: trust and TTLs, backoff, asking ahead.
#include <gtest/gtest.h>

#include "volume/merge.h"
#include "volume/node_view.h"
#include "volume/origin_health.h"
#include "volume/stat_ahead.h"

namespace lazyvol::volume {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kNow = 1'000 * kSecond;
constexpr milliseconds kTtl{60'000};

cache::StoredEntry asked(std::int64_t stat_wall_ns, std::string token, bool settled) {
  cache::StoredEntry entry;
  entry.id = 5;
  entry.remote.size = 1;
  entry.remote.validator = "A";
  entry.remote.token = std::move(token);
  entry.remote.settled = settled;
  entry.stat_wall_ns = stat_wall_ns;
  return entry;
}

TEST(TimeLeft, CountsDownAndExpires) {
  EXPECT_EQ(time_left(kNow, kNow, kTtl), kTtl);
  EXPECT_EQ(time_left(kNow - 59 * kSecond, kNow, kTtl), milliseconds(1'000));
  EXPECT_EQ(time_left(kNow - 60 * kSecond, kNow, kTtl), milliseconds(0));
  EXPECT_EQ(time_left(kNow + 1, kNow, kTtl), milliseconds(0)) << "a clock that jumped back";
  EXPECT_EQ(time_left(0, kNow, kTtl), milliseconds(0)) << "never";
  EXPECT_EQ(time_left(kNow, kNow, milliseconds(0)), milliseconds(0));
  EXPECT_GT(time_left(1, kNow, milliseconds::max()), std::chrono::hours(24 * 365));
}

TEST(KnowledgeOf, FollowsTokenSettledAndAge) {
  const auto recent = kNow - kSecond;
  const auto old = kNow - 100 * kSecond;
  EXPECT_EQ(knowledge_of(asked(0, "", true), kNow, kTtl), Knowledge::known) << "from the listing";
  EXPECT_EQ(knowledge_of(asked(0, "", false), kNow, kTtl), Knowledge::known);
  EXPECT_EQ(knowledge_of(asked(recent, "", true), kNow, kTtl), Knowledge::known);
  EXPECT_EQ(knowledge_of(asked(old, "", true), kNow, kTtl), Knowledge::ask) << "nothing vouches";
  EXPECT_EQ(knowledge_of(asked(old, "t", true), kNow, kTtl), Knowledge::known) << "the row vouches";
  EXPECT_EQ(knowledge_of(asked(old, "t", false), kNow, kTtl), Knowledge::ask) << "racily clean";
  EXPECT_EQ(knowledge_of(asked(kStatInDoubt, "t", true), kNow, kTtl), Knowledge::ask);
}

TEST(KnowledgeOf, InexactEntries) {
  cache::StoredEntry entry;
  EXPECT_EQ(knowledge_of(entry, kNow, kTtl), Knowledge::ask);
  entry.stat_wall_ns = kNow - kSecond;
  EXPECT_EQ(knowledge_of(entry, kNow, kTtl), Knowledge::missing);
  entry.stat_wall_ns = kNow - 100 * kSecond;
  EXPECT_EQ(knowledge_of(entry, kNow, kTtl), Knowledge::ask);
  entry.remote.type = NodeType::directory;
  EXPECT_EQ(knowledge_of(entry, kNow, kTtl), Knowledge::known);
  entry.remote.type = NodeType::symlink;
  EXPECT_EQ(knowledge_of(entry, kNow, kTtl), Knowledge::ask);
}

TEST(NodeView, AppliesOptionsAndDefaults) {
  model::MountOptions options;
  auto entry = asked(0, "", true);
  const NodeView plain(options, 10, 20);
  EXPECT_EQ(plain.attributes(entry).mode, 0644U);
  EXPECT_EQ(plain.attributes(entry).uid, 10U);
  entry.remote.mode = 0104751;  // only permission bits are taken
  entry.remote.uid = 7;
  EXPECT_EQ(plain.attributes(entry).mode, 04751U);
  EXPECT_EQ(plain.attributes(entry).uid, 7U);
  EXPECT_EQ(plain.attributes(entry).gid, 20U);
  options.file_mode = 0400;
  options.uid = 3;
  const NodeView forced(options, 10, 20);
  EXPECT_EQ(forced.attributes(entry).mode, 0400U);
  EXPECT_EQ(forced.attributes(entry).uid, 3U);
  entry.remote.type = NodeType::directory;
  entry.remote.mode.reset();
  EXPECT_EQ(forced.attributes(entry).mode, 0755U);
}

TEST(NodeView, TtlEndsWithWhatIsKnown) {
  const NodeView view({}, 0, 0);
  EXPECT_EQ(view.node(asked(0, "", true), kNow, seconds(40)).attribute_ttl, seconds(40));
  EXPECT_EQ(view.node(asked(kNow - 50 * kSecond, "", true), kNow, seconds(40)).attribute_ttl,
            seconds(10));
  EXPECT_EQ(view.node(asked(kNow - 50 * kSecond, "t", true), kNow, seconds(40)).attribute_ttl,
            seconds(40));
  EXPECT_EQ(view.node(asked(0, "", false), kNow, seconds(40)).entry_ttl, seconds(1));
}

TEST(OriginHealth, WindowsDoubleUpToALimit) {
  OriginHealth health;
  base::Monotonic now{seconds(1'000)};
  EXPECT_FALSE(health.down(now));
  for (const int window : {1, 2, 4, 8, 16, 30, 30}) {
    health.failed(now, std::nullopt);
    health.failed(now, std::nullopt);  // at the same time: counts once
    EXPECT_TRUE(health.down(now + milliseconds(window * 1'000 - 1))) << window;
    now += seconds(window);
    EXPECT_FALSE(health.down(now)) << window;
  }
  health.failed(now, std::nullopt);
  health.succeeded();
  EXPECT_FALSE(health.down(now));
  health.failed(now, std::nullopt);
  EXPECT_FALSE(health.down(now + seconds(1))) << "begins anew after a success";
}

TEST(OriginHealth, HonoursRetryAfter) {
  OriginHealth health;
  const base::Monotonic now{seconds(1'000)};
  health.failed(now, seconds(90));
  EXPECT_TRUE(health.down(now + seconds(89)));
  EXPECT_FALSE(health.down(now + seconds(90)));
  OriginHealth absurd;
  absurd.failed(now, std::chrono::hours(1'000));
  EXPECT_FALSE(absurd.down(now + std::chrono::hours(1)));
}

TEST(StatAhead, AsksAheadOfAReaderInOrder) {
  StatAhead ahead;
  EXPECT_EQ(ahead.on_demand(10), std::nullopt);
  EXPECT_EQ(ahead.on_demand(11), (Span{12, 44}));
  EXPECT_EQ(ahead.on_demand(11), std::nullopt) << "the same again is no step";
  EXPECT_EQ(ahead.on_demand(12), std::nullopt) << "refilled in batches";
  std::optional<Span> next;
  std::size_t at = 13;
  for (; !next; ++at) next = ahead.on_demand(at);
  EXPECT_EQ(next, (Span{44, at + StatAhead::kAhead}));
}

TEST(StatAhead, LeavesRandomReadersAlone) {
  StatAhead ahead;
  for (const std::size_t at : {5, 100, 3, 50, 20, 90, 1})
    EXPECT_EQ(ahead.on_demand(at), std::nullopt);
  EXPECT_EQ(ahead.on_demand(4), (Span{5, 37})) << "small steps over directories are in order";
}

}  // namespace
}  // namespace lazyvol::volume
