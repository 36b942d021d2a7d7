#include "fetch/transfer_pace.h"

#include <gtest/gtest.h>

namespace lazyvol::fetch {
namespace {

using namespace std::chrono_literals;

TEST(TransferPace, IsPatientWhileNothingIsKnown) {
  EXPECT_EQ(TransferPace().patience(1), TransferPace::kFirstPatience);
  EXPECT_EQ(TransferPace().patience(8 << 20), TransferPace::kFirstPatience);
}

TEST(TransferPace, LateIsWhoTakesMuchLongerThanUsual) {
  TransferPace pace;
  for (int i = 0; i < 50; ++i) pace.note(1 << 20, 200ms);
  EXPECT_EQ(pace.patience(1 << 20), 1600ms);
  EXPECT_EQ(pace.patience(4 << 20), 6400ms) << "more bytes may take longer";
  EXPECT_EQ(pace.patience(1), 1600ms) << "fewer are no quicker: the round trip stays";
}

TEST(TransferPace, NoiseIsNotLateness) {
  TransferPace pace;
  for (int i = 0; i < 50; ++i) pace.note(4096, 1ms);
  EXPECT_EQ(pace.patience(4096), TransferPace::kLeastPatience);
}

TEST(TransferPace, FollowsALinkThatBecomesSlow) {
  TransferPace pace;
  for (int i = 0; i < 50; ++i) pace.note(1 << 20, 10ms);
  for (int i = 0; i < 50; ++i) pace.note(1 << 20, 1s);
  EXPECT_GT(pace.patience(1 << 20), 7s);
  for (int i = 0; i < 500; ++i) pace.note(1, 24h);
  EXPECT_LE(pace.patience(1), 10min);
}

TEST(HedgeBudget, IsOneInTwentyAndAFew) {
  HedgeBudget budget;
  std::uint64_t taken = 0;
  while (budget.take()) ++taken;
  EXPECT_EQ(taken, HedgeBudget::kAtFirst);
  for (int i = 0; i < 1000; ++i) budget.request();
  while (budget.take()) ++taken;
  EXPECT_EQ(taken, HedgeBudget::kAtFirst + 50);
}

}  // namespace
}  // namespace lazyvol::fetch
