#include "fetch/origin_ranks.h"

#include <gtest/gtest.h>

namespace lazyvol::fetch {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr base::Monotonic at(int s) {
  return base::Monotonic{} + seconds(1'000'000 + s);
}
constexpr OriginSet kNone = 0;

TEST(OriginRanks, ThePreferredOneThatWasNotTried) {
  const OriginRanks ranks(3);
  EXPECT_EQ(ranks.all(), 7u);
  EXPECT_EQ(ranks.choose(kNone, at(0))->origin, 0u);
  EXPECT_EQ(ranks.choose(0b001, at(0))->origin, 1u);
  EXPECT_EQ(ranks.choose(0b011, at(0))->origin, 2u);
  EXPECT_EQ(ranks.choose(0b101, at(0))->origin, 1u);
  EXPECT_FALSE(ranks.choose(0b111, at(0)).has_value());
  EXPECT_EQ(OriginRanks(kMaxOrigins).all(), ~OriginSet{0});
}

TEST(OriginRanks, ADemotedOneIsTheLastResort) {
  OriginRanks ranks(2);
  ranks.failed(0, at(0));
  EXPECT_EQ(ranks.choose(kNone, at(0))->origin, 1u);
  EXPECT_EQ(ranks.choose(0b10, at(0))->origin, 0u);
  EXPECT_FALSE(ranks.choose(0b10, at(0))->probe);
  ranks.failed(1, at(0) + milliseconds(500));
  EXPECT_EQ(ranks.choose(kNone, at(0) + milliseconds(600))->origin, 0u);  // over sooner
}

TEST(OriginRanks, OneRequestAtATimeProbesIt) {
  OriginRanks ranks(2);
  ranks.failed(0, at(0));
  ASSERT_TRUE(ranks.choose(kNone, at(1))->probe);
  ranks.probing(0);
  EXPECT_EQ(ranks.choose(kNone, at(1))->origin, 1u);
  ranks.probed(0);
  ranks.succeeded(0, at(1), at(1));
  EXPECT_EQ(ranks.choose(kNone, at(1))->origin, 0u);
  EXPECT_FALSE(ranks.choose(kNone, at(1))->probe);
}

TEST(OriginRanks, EachFailureDoublesTheTime) {
  OriginRanks ranks(2);
  int now = 0;
  for (const int span : {1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300}) {
    ranks.failed(0, at(now));
    ranks.failed(0, at(now));  // of requests that were under way together
    EXPECT_EQ(ranks.choose(kNone, at(now + span - 1))->origin, 1u) << span;
    EXPECT_EQ(ranks.choose(kNone, at(now + span))->origin, 0u) << span;
    now += span;
  }
  ranks.succeeded(0, at(now), at(now));
  ranks.failed(0, at(now + 2'000));  // good for long: begins anew
  EXPECT_EQ(ranks.choose(kNone, at(now + 2'001))->origin, 0u);
}

TEST(OriginRanks, GoodBytesOfAnOlderRequestProveNothing) {
  OriginRanks ranks(2);
  ranks.failed(0, at(0));
  ranks.succeeded(0, at(-1), at(0));
  ranks.succeeded(0, at(-1), at(5));
  EXPECT_TRUE(ranks.demoted(0));
  ranks.succeeded(0, at(1), at(5));
  EXPECT_FALSE(ranks.demoted(0));
}

TEST(OriginRanks, AskedToWaitItIsLeftAlone) {
  OriginRanks ranks(2);
  ranks.failed(0, at(0), seconds(30));
  EXPECT_EQ(ranks.choose(kNone, at(29))->origin, 1u);
  EXPECT_EQ(ranks.choose(kNone, at(30))->origin, 0u);
}

}  // namespace
}  // namespace lazyvol::fetch
