// Volumes that tools open by path and by URL.
#include "publish/source_store.h"

#include <gtest/gtest.h>

#include "publish/dir_store.h"
#include "publish/kept_heads.h"
#include "publish/open_volume.h"
#include "publish/sample_volume.h"
#include "publish/verify.h"
#include "publish/volume_reader.h"
#include "support/servers.h"
#include "support/temp_dir.h"

namespace lazyvol::publish {
namespace {

class OpenVolume : public ::testing::Test {
 protected:
  OpenVolume() : store_(*make_dir_store(dir_.path() / "volume")), volume_(*store_) {
    for (int i = 0; i < 30; ++i) {
      volume_.write("f" + std::to_string(i), lazyvol::testing::noise(5'000, i));
      if (i % 10 != 9) continue;
      EXPECT_TRUE(volume_.publish(i).ok());
    }
  }
  static VerifyReport check(Store& store) {
    auto report = verify(store, {.all = true, .threads = 4}, [](const VerifyProgress&) {}, {});
    EXPECT_TRUE(report.ok()) << report.error().message;
    return report.ok() ? *std::move(report) : VerifyReport();
  }
  std::string directory() const { return (dir_.path() / "volume").string(); }

  lazyvol::testing::TempDir dir_;
  std::unique_ptr<Store> store_;
  SampleVolume volume_;
};

TEST_F(OpenVolume, APathIsAStoreThatLists) {
  for (const std::string& text : {directory(), "file://" + directory()}) {
    const auto store = open_volume(text, {});
    ASSERT_TRUE(store.ok()) << store.error().message;
    EXPECT_EQ(list_kept_heads(**store, 3)->revisions.size(), 3U);
    EXPECT_EQ(check(**store).damage_total, 0U);
  }
}

TEST_F(OpenVolume, AUrlIsAStoreThatReads) {
  const lazyvol::testing::Nginx nginx(dir_.path() / "volume");
  const auto store = open_volume(nginx.url(), {});
  ASSERT_TRUE(store.ok()) << store.error().message;
  EXPECT_EQ((*store)->list("packs/").error().code, Code::unsupported);
  EXPECT_EQ((*store)->create().error().code, Code::read_only);
  EXPECT_EQ((*store)->remove("lazyvol-head").error().code, Code::read_only);
  EXPECT_FALSE((*store)->stat("lazyvol-none")->has_value());
  const VerifyReport whole = check(**store), local = check(*store_);
  EXPECT_EQ(whole.damage_total, 0U);
  EXPECT_EQ(whole.heads.size(), 4U) << "revisions are found by counting down";
  EXPECT_EQ(whole.bytes, local.bytes);
  const auto packs = store_->list("packs/");
  ASSERT_TRUE(store_->remove(packs->front().path).ok());
  const VerifyReport damaged = check(**store);
  EXPECT_EQ(damaged.damage_total, 1U);
  EXPECT_GT(damaged.damage[0].harmed_total, 0U);
}

TEST_F(OpenVolume, AServerThatIsGoneIsNoDamage) {
  lazyvol::testing::Nginx nginx(dir_.path() / "volume");
  model::MountOptions options;
  options.io_timeout = std::chrono::milliseconds(300);
  const auto store = open_volume(nginx.url(), options);
  ASSERT_TRUE(store.ok());
  nginx.stop();
  const auto report = verify(**store, {}, [](const VerifyProgress&) {}, {});
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().code, Code::unreachable) << report.error().message;
}

TEST_F(OpenVolume, WhatIsNoVolume) {
  EXPECT_EQ(open_volume("s3://bucket/x?y", {}).error().code, Code::invalid_argument);
  EXPECT_EQ(open_volume("gopher://host/", {}).error().code, Code::invalid_argument);
  EXPECT_EQ(open_volume(directory() + "/none", {}).error().code, Code::not_found);
  EXPECT_EQ(open_volume(directory() + "/lazyvol-head", {}).error().code, Code::not_directory);
  EXPECT_EQ(open_volume("", {}).error().code, Code::invalid_argument);
  EXPECT_EQ(volume_directory("https://host/x").error().code, Code::unsupported);
  EXPECT_EQ(volume_directory("s3://bucket/x").error().code, Code::unsupported);
  EXPECT_EQ(*volume_directory("file:///a%20b"), "/a b");
  EXPECT_EQ(*volume_directory("relative/path"), "relative/path");
}

}  // namespace
}  // namespace lazyvol::publish
