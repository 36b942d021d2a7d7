// Which chunks are stored, and how they are bundled.
#include "publish/bundler.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <memory>

#include "publish/dir_store.h"
#include "publish/volume_reader.h"
#include "support/temp_dir.h"

namespace lazyvol::publish {
namespace {

using lazyvol::testing::noise;

class BundlerTest : public ::testing::Test {
 protected:
  static constexpr std::uint32_t kKiB = 1024;

  void SetUp() override {
    auto store = make_dir_store(temp_.path() / "volume");
    auto state = State::open(temp_.path() / "state");
    ASSERT_TRUE(store.ok() && state.ok());
    store_ = *std::move(store);
    state_ = *std::move(state);
    begin();
  }
  // A publisher starts: what was recorded before is far from now on.
  void begin() {
    bundler_.reset();
    pipe_.reset();
    places_ = std::make_unique<FramePlaces>();
    contents_ = Contents();
    pipe_ = std::make_unique<FramePipe>(*store_, *state_, *places_, limits_, 3, 2, progress_);
    bundler_ = std::make_unique<Bundler>(*state_, *pipe_, *places_, contents_, limits_, progress_);
  }
  static Chunk chunk(std::uint64_t seed, std::size_t size) {
    std::string bytes = noise(size, seed);
    const catalog::Digest digest = catalog::sha256(bytes);
    return {std::move(bytes), digest};
  }
  void small(std::uint64_t seed, std::size_t size) {
    ASSERT_TRUE(bundler_->add_small(chunk(seed, size)).ok());
  }
  void end() {
    ASSERT_TRUE(bundler_->finish().ok());
    ASSERT_TRUE(pipe_->finish().ok());
  }
  catalog::FrameRef frame_of(std::size_t piece) {
    return places_->at(contents_.pieces[piece].frame);
  }
  // The bytes of a piece, as a reader gets them.
  std::string read(std::size_t piece) {
    const auto raw = read_frame(*store_, frame_of(piece));
    EXPECT_TRUE(raw.ok());
    return raw->substr(contents_.pieces[piece].offset, contents_.pieces[piece].length);
  }

  lazyvol::testing::TempDir temp_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<State> state_;
  Limits limits_;
  const std::function<void(const PublishProgress&)> nobody_;
  Progress progress_{nobody_, {}};
  std::unique_ptr<FramePlaces> places_;
  Contents contents_;
  std::unique_ptr<FramePipe> pipe_;
  std::unique_ptr<Bundler> bundler_;
};

TEST_F(BundlerTest, SmallChunksShareFramesAndLongOnesHaveTheirOwn) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) small(seed, 20 * kKiB);
  small(100, 130 * kKiB);
  end();
  for (std::uint64_t seed = 0; seed < 20; ++seed) EXPECT_EQ(read(seed), noise(20 * kKiB, seed));
  EXPECT_EQ(read(20), noise(130 * kKiB, 100));
  EXPECT_EQ(frame_of(0), frame_of(6)) << "seven make 140 KiB";
  EXPECT_NE(frame_of(6), frame_of(7));
  EXPECT_EQ(frame_of(7), frame_of(13));
  EXPECT_EQ(frame_of(0).raw, 140 * kKiB);
  EXPECT_EQ(frame_of(20).raw, 130 * kKiB);
}

TEST_F(BundlerTest, LongFilesDoNotShareFramesWithSmallOnes) {
  small(1, 10 * kKiB);
  ASSERT_TRUE(bundler_->add_long(chunk(2, 70 * kKiB)).ok());
  ASSERT_TRUE(bundler_->add_long(chunk(3, 300 * kKiB)).ok());
  ASSERT_TRUE(bundler_->add_long(chunk(4, 20 * kKiB)).ok());
  ASSERT_TRUE(bundler_->end_long().ok());
  small(5, 10 * kKiB);
  end();
  EXPECT_EQ(frame_of(0), frame_of(4)) << "the small ones lie together";
  const std::vector<catalog::FrameRef> frames = {frame_of(1), frame_of(2), frame_of(3),
                                                 frame_of(0)};
  for (std::size_t i = 1; i < frames.size(); ++i) {
    EXPECT_LT(frames[i - 1].offset, frames[i].offset) << "a long file lies in order";
  }
}

TEST_F(BundlerTest, WhatIsKnownIsNotStoredAgain) {
  for (int round = 0; round < 2; ++round) {
    for (std::uint64_t seed = 0; seed < 10; ++seed) small(seed, 10 * kKiB);
  }
  end();
  for (std::size_t i = 0; i < 10; ++i) EXPECT_EQ(frame_of(i), frame_of(i + 10));
  begin();
  for (std::uint64_t seed = 0; seed < 10; ++seed) small(seed, 10 * kKiB);
  end();
  EXPECT_EQ(pipe_->packs(), 0U);
  EXPECT_EQ(read(3), noise(10 * kKiB, 3));
  EXPECT_EQ(progress_.bytes_known, 20U * 10 * kKiB);
}

TEST_F(BundlerTest, AShortRunFromFarAwayIsStoredOnceMore) {
  for (std::uint64_t seed = 0; seed < 10; ++seed) small(seed, 5 * kKiB);
  end();
  begin();
  small(100, 5 * kKiB);
  for (std::uint64_t seed = 0; seed < 7; ++seed) small(seed, 5 * kKiB);  // a short run
  small(101, 5 * kKiB);
  end();
  for (std::size_t i = 0; i < 9; ++i) EXPECT_EQ(frame_of(i), frame_of(0)) << i;
  EXPECT_EQ(read(4), noise(5 * kKiB, 3));
  EXPECT_EQ(progress_.bytes_known, 0U);
}

TEST_F(BundlerTest, ALongRunIsNotNorOneThatSplitsNothing) {
  for (std::uint64_t seed = 0; seed < 10; ++seed) small(seed, 5 * kKiB);
  small(50, 60 * kKiB);
  small(51, 60 * kKiB);
  small(52, 60 * kKiB);
  end();
  begin();
  for (std::uint64_t seed = 0; seed < 3; ++seed) small(seed, 5 * kKiB);  // before any new one
  small(100, 5 * kKiB);
  for (std::uint64_t seed = 0; seed < 8; ++seed) small(seed, 5 * kKiB);  // eight
  small(101, 5 * kKiB);
  for (std::uint64_t seed = 50; seed < 53; ++seed) small(seed, 60 * kKiB);  // more than a frame
  small(102, 5 * kKiB);
  small(9, 5 * kKiB);  // behind the last new one
  end();
  const std::vector<std::size_t> fresh = {3, 12, 16};
  for (std::size_t i = 0; i < contents_.pieces.size(); ++i) {
    const bool is_new = std::find(fresh.begin(), fresh.end(), i) != fresh.end();
    EXPECT_EQ(frame_of(i) == frame_of(3), is_new) << i;
  }
  EXPECT_EQ(frame_of(3).raw, 15 * kKiB);
}

TEST_F(BundlerTest, WhatWasReadInVainIsNotReferredTo) {
  ASSERT_TRUE(bundler_->add_long(chunk(1, 70 * kKiB)).ok());
  bundler_->drop_long();
  contents_.pieces.clear();
  ASSERT_TRUE(bundler_->add_long(chunk(2, 70 * kKiB)).ok());
  ASSERT_TRUE(bundler_->add_long(chunk(1, 70 * kKiB)).ok());
  ASSERT_TRUE(bundler_->end_long().ok());
  end();
  EXPECT_EQ(read(0), noise(70 * kKiB, 2));
  EXPECT_EQ(read(1), noise(70 * kKiB, 1));
}

// Far enough back that the memory of recent chunks has given them up.
TEST_F(BundlerTest, ManyFramesOfTheSamePublish) {
  limits_.pack_target = 1 << 20;
  limits_.frame_target = 4 * kKiB;
  begin();
  for (int round = 0; round < 3; ++round) {
    for (std::uint64_t seed = 0; seed < 3'000; ++seed) small(seed, 2 * kKiB);
  }
  end();
  EXPECT_GT(pipe_->packs(), 4U);
  EXPECT_LT(pipe_->bytes(), 3'000U * 2 * kKiB * 11 / 10) << "stored about once";
  for (std::size_t i = 0; i < contents_.pieces.size(); i += 97) {
    EXPECT_EQ(read(i), noise(2 * kKiB, i % 3'000));
  }
}

}  // namespace
}  // namespace lazyvol::publish
