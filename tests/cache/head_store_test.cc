// What is remembered of heads.
#include "cache/head_store.h"

#include <gtest/gtest.h>

#include <memory>

#include "support/temp_dir.h"

namespace lazyvol::cache {
namespace {

class HeadStoreTest : public ::testing::Test {
 protected:
  void SetUp() override { reopen(); }
  void reopen() {
    store_.reset();
    index_.reset();
    auto opened = Index::open(dir_.path());
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    index_ = *std::move(opened);
    store_ = std::make_unique<HeadStore>(*index_);
  }

  lazyvol::testing::TempDir dir_;
  std::unique_ptr<Index> index_;
  std::unique_ptr<HeadStore> store_;
};

TEST_F(HeadStoreTest, RemembersAcrossARestart) {
  EXPECT_EQ(store_->find("v").value(), std::nullopt);
  const KnownHead head{7, std::string("id\0", 3), std::string(100'000, 'd')};
  ASSERT_TRUE(store_->remember("v", head).ok());
  ASSERT_TRUE(store_->remember("w", {1, "other", "x"}).ok());
  reopen();
  EXPECT_EQ(store_->find("v").value(), head);
  EXPECT_EQ(store_->find("w").value()->identity, "other");
}

TEST_F(HeadStoreTest, NeverGoesBack) {
  ASSERT_TRUE(store_->remember("v", {7, "seven", "x"}).ok());
  ASSERT_TRUE(store_->remember("v", {6, "six", "y"}).ok());
  EXPECT_EQ(store_->find("v").value()->identity, "seven");
  ASSERT_TRUE(store_->remember("v", {8, "eight", "z"}).ok());
  EXPECT_EQ(store_->find("v").value()->identity, "eight");
}

TEST_F(HeadStoreTest, KnowsSourcesOfFiles) {
  EXPECT_FALSE(store_->is_files("v").value());
  ASSERT_TRUE(store_->remember_files("v").ok());
  reopen();
  EXPECT_TRUE(store_->is_files("v").value());
  EXPECT_EQ(store_->find("v").value(), std::nullopt);
}

TEST_F(HeadStoreTest, HasLimitsAndSeesDamage) {
  EXPECT_EQ(store_->remember("v", {1, std::string(2'000, 'i'), ""}).error().code,
            Code::invalid_argument);
  EXPECT_EQ(store_->remember("v", {1, "", std::string((1 << 20) + 1, 'd')}).error().code,
            Code::invalid_argument);
  IndexBatch batch;
  batch.put(Keyspace::volumes, "hv", "\x01\x07");
  ASSERT_TRUE(index_->write(std::move(batch), false).ok());
  EXPECT_EQ(store_->find("v").error().code, Code::corrupt);
  ASSERT_TRUE(store_->remember("v", {1, "new", "x"}).ok());
  EXPECT_EQ(store_->find("v").value()->identity, "new");
}

}  // namespace
}  // namespace lazyvol::cache
