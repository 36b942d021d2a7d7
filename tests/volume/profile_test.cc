// What a workload reads is noted, and fetched before it asks again.
#include <filesystem>

#include "published_fixture.h"
#include "volume/profile_record.h"
#include "volume/profile_replay.h"
#include "volume_fixture.h"

namespace lazyvol::testing {
namespace {

constexpr std::uint64_t kLong = 4 << 20;
using Ranges = std::vector<model::ProfileRange>;

model::Profile finish_recording(Stack& stack) {
  Answer<model::Profile> answer;
  volume::finish_recording(stack.shared_volume(), {}, answer.done());
  const auto profile = answer.get();
  EXPECT_TRUE(profile.ok());
  return profile.ok() ? *profile : model::Profile{};
}

Result<PrefetchProgress> replay(Stack& stack, const model::Profile& profile,
                                RequestContext ctx = {}) {
  Answer<PrefetchProgress> answer;
  volume::ProfileReplay::run(stack.shared_volume(), profile, std::move(ctx), nullptr,
                             answer.done());
  return answer.get();
}

/// So that only what was read, or replayed, is there.
model::MountOptions without_readahead() {
  model::MountOptions options;
  options.prefetch = false;
  return options;
}

/// Looks up, lists and reads: a small file, two places of a long one.
void work(Stack& stack) {
  const auto small = stack.walk("lib/small");
  ASSERT_TRUE(small.ok());
  const auto large = stack.walk("bin/large");
  ASSERT_TRUE(large.ok());
  const auto first = stack.open_file(small->attributes.id);
  ASSERT_TRUE(first.ok());
  EXPECT_TRUE(*stack.read(**first, 0, 100) == noise(9'000, 1).substr(0, 100));
  const auto second = stack.open_file(large->attributes.id);
  ASSERT_TRUE(second.ok());
  const std::string bytes = noise(kLong, 2);
  EXPECT_TRUE(*stack.read(**second, 3 << 20, 4096) == bytes.substr(3 << 20, 4096));
  EXPECT_TRUE(*stack.read(**second, 0, 4096) == bytes.substr(0, 4096));
}

const model::Profile kExpected{{"", true, {}},
                               {"lib", true, {}},
                               {"bin", true, {}},
                               {"lib/small", false, {{0, 100}}},
                               {"bin/large", false, {{0, 4096}, {3 << 20, (3 << 20) + 4096}}}};

class ProfileTest : public VolumeTest {
 protected:
  void fill() {
    source().put_directory("lib");
    source().put("lib/small", noise(9'000, 1), "v1");
    source().put_directory("bin");
    source().put("bin/large", noise(kLong, 2), "v1");
  }
};

TEST_F(ProfileTest, NotesPathsAndRangesInOrder) {
  fill();
  open(without_readahead());
  stack().volume().accesses().start();
  work(stack());
  EXPECT_EQ(finish_recording(stack()), kExpected);
  EXPECT_TRUE(finish_recording(stack()).empty()) << "it had ended";
}

TEST_F(ProfileTest, AReplayLeavesNothingToBeAsked) {
  use_inexact_listings();
  fill();
  open(without_readahead());
  const auto done = replay(stack(), kExpected);
  ASSERT_TRUE(done.ok()) << done.error().message;
  EXPECT_TRUE(done->finished);
  EXPECT_EQ(done->files_done, kExpected.size());
  EXPECT_EQ(done->failures, 0U);
  EXPECT_EQ(done->bytes_done, 100U + 2 * 4096);
  source().fail_all(Code::unreachable);
  const auto asked = source().count(Op::list) + source().count(Op::stat);
  work(stack());
  EXPECT_EQ(source().count(Op::list) + source().count(Op::stat), asked);
}

TEST_F(ProfileTest, WhatIsNotThereStopsNothing) {
  fill();
  open();
  const model::Profile profile{
      {"none/at/all", false, {}},
      {"lib/small/below", false, {}},
      {"lib/small", false, {{0, 1}, {8'999, 1'000'000}, {2'000'000, 3'000'000}}}};
  const auto done = replay(stack(), profile);
  ASSERT_TRUE(done.ok());
  EXPECT_EQ(done->failures, 2U);
  EXPECT_EQ(done->files_done, 1U);
}

TEST_F(ProfileTest, AnOriginThatIsDownIsGivenUp) {
  fill();
  for (int i = 0; i < 40; ++i) source().put("lib/" + std::to_string(i), "x", "v1");
  model::MountOptions options;
  options.io_retries = 0;
  open(options);
  ASSERT_TRUE(stack().walk("lib/small").ok());
  source().fail(Op::read, "*", Code::unreachable);
  model::Profile profile;
  for (int i = 0; i < 40; ++i) profile.push_back({"lib/" + std::to_string(i), false, {}});
  const auto done = replay(stack(), profile);
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().code, Code::unreachable);
}

TEST_F(ProfileTest, CanBeStopped) {
  fill();
  open();
  std::stop_source stop;
  stop.request_stop();
  RequestContext ctx;
  ctx.stop = stop.get_token();
  EXPECT_EQ(replay(stack(), kExpected, ctx).error().code, Code::cancelled);
}

class PublishedProfileTest : public PublishedTest {
 protected:
  void publish_tree() {
    origin_.put("lib/small", noise(9'000, 1));
    origin_.put("bin/large", noise(kLong, 2));
    for (int i = 0; i < 200; ++i) origin_.put("other/" + std::to_string(i), noise(30'000, 10 + i));
    origin_.publish();
  }
};

TEST_F(PublishedProfileTest, IsNotedAndReplayed) {
  publish_tree();
  open(without_readahead());
  stack().volume().accesses().start();
  work(stack());
  EXPECT_EQ(finish_recording(stack()), kExpected);
}

TEST_F(PublishedProfileTest, AReplayLeavesNothingToBeAsked) {
  publish_tree();
  open(without_readahead());
  const auto done = replay(stack(), kExpected);
  ASSERT_TRUE(done.ok()) << done.error().message;
  EXPECT_EQ(done->files_done, kExpected.size());
  EXPECT_LT(stack().volume().stats().fetch.bytes_fetched, 2'000'000U) << "not the whole tree";
  gate_->fail("packs/", Code::unreachable);
  work(stack());
}

TEST_F(PublishedProfileTest, PathsAreThoseBelowTheMountedDirectory) {
  publish_tree();
  model::MountOptions options;
  options.subdir = "lib";
  open(options);
  stack().volume().accesses().start();
  const auto small = stack().walk("small");
  ASSERT_TRUE(small.ok());
  const auto file = stack().open_file(small->attributes.id);
  ASSERT_TRUE(file.ok());
  EXPECT_TRUE(stack().read(**file, 0, 10).ok());
  const auto profile = finish_recording(stack());
  ASSERT_EQ(profile.size(), 2U);
  EXPECT_EQ(profile[0].path, "");
  EXPECT_EQ(profile[1].path, "small");
}

}  // namespace
}  // namespace lazyvol::testing
