// The state machine of an object's blocks.
#include "cache/object_groups.h"

#include <gtest/gtest.h>

namespace lazyvol::cache {
namespace {

constexpr std::uint64_t kSize = 70ULL * model::kBlockSize - 1000;  // two groups, 70 blocks

class ObjectGroupsTest : public ::testing::Test {
 protected:
  void store(std::uint32_t group, std::uint64_t mask) {
    BlockGroup& at = groups_.obtain(group);
    at.present |= mask;
    at.allocated |= mask;
    at.verified |= mask;
    groups_.queue(group);
  }
  GroupRow write_row(std::uint32_t group, bool with_committing) {
    GroupRow row = groups_.row(key_, group, with_committing);
    groups_.applied(group, row);
    return row;
  }
  model::ContentKey key_ = model::live_content_key("a", "b", "c");
  ObjectGroups groups_{model::BlockLayout{kSize}};
};

TEST_F(ObjectGroupsTest, SizesOfBlocks) {
  EXPECT_EQ(groups_.count(), 2U);
  EXPECT_EQ(groups_.existing(0), ~0ULL);
  EXPECT_EQ(groups_.existing(1), 0x3fU);
  EXPECT_EQ(groups_.bytes_of(0, 0x5), 2U * model::kBlockSize);
  EXPECT_EQ(groups_.bytes_of(1, 0x20), model::kBlockSize);  // 1000 bytes less, in whole pages
  EXPECT_EQ(groups_.bytes_of(1, 0), 0U);
}

TEST_F(ObjectGroupsTest, RowsNameOnlyWhatWasSynced) {
  store(0, 0b1);
  EXPECT_TRUE(groups_.begin_commit());
  store(0, 0b10);  // during the sync
  EXPECT_EQ(groups_.row(key_, 0, false).present, 0U);
  EXPECT_EQ(write_row(0, true).present, 0b1U);
  groups_.end_commit(true);
  EXPECT_EQ(groups_.find(0)->durable, 0b1U);
  EXPECT_EQ(groups_.find(0)->verified, 0b10U) << "to be verified from the disk";
  EXPECT_TRUE(groups_.begin_commit());
  EXPECT_EQ(write_row(0, true).present, 0b11U);
  groups_.end_commit(true);
  EXPECT_FALSE(groups_.begin_commit());
}

TEST_F(ObjectGroupsTest, DroppedDuringACommitAndStoredAgain) {
  store(0, 0b1);
  EXPECT_TRUE(groups_.begin_commit());
  EXPECT_EQ(groups_.drop(0, 0b1), 0b1U);
  store(0, 0b1);  // not what is being synced
  EXPECT_EQ(write_row(0, true).present, 0U);
  groups_.end_commit(true);
  EXPECT_EQ(groups_.find(0)->durable, 0U);
  EXPECT_TRUE(groups_.begin_commit());
}

TEST_F(ObjectGroupsTest, EvictedBetweenTheRowAndTheEndOfACommit) {
  store(0, 0b111);
  EXPECT_TRUE(groups_.begin_commit());
  EXPECT_EQ(write_row(0, true).present, 0b111U);
  groups_.drop(0, 0b1);
  EXPECT_EQ(write_row(0, false).present, 0b110U) << "the rest of the commit must stay named";
  groups_.end_commit(true);
  EXPECT_EQ(groups_.find(0)->durable, 0b110U);
}

TEST_F(ObjectGroupsTest, FailedCommitIsTriedAgain) {
  store(1, 0b100);
  EXPECT_TRUE(groups_.begin_commit());
  groups_.end_commit(false);
  EXPECT_EQ(groups_.find(1)->durable, 0U);
  EXPECT_TRUE(groups_.begin_commit());
  EXPECT_EQ(groups_.committing(), std::vector<std::uint32_t>{1});
}

TEST_F(ObjectGroupsTest, FailedSyncDropsItsBlocks) {
  store(0, 0b11);
  EXPECT_TRUE(groups_.begin_commit());
  store(0, 0b100);
  EXPECT_EQ(groups_.discard_committing(), 2U);
  EXPECT_EQ(groups_.find(0)->present, 0b100U);
  groups_.end_commit(true);
}

TEST_F(ObjectGroupsTest, NoHoleUnderARow) {
  store(0, 0b11);
  static_cast<void>(groups_.begin_commit());
  write_row(0, true);
  groups_.end_commit(true);
  groups_.drop(0, 0b1);
  EXPECT_EQ(groups_.begin_punch(0, 0b11), 0U) << "the row still names it";
  write_row(0, false);
  EXPECT_EQ(groups_.begin_punch(0, 0b11), 0b1U);
  EXPECT_EQ(groups_.begin_punch(0, 0b1), 0U) << "under way already";
  EXPECT_EQ(groups_.end_punch(0, 0b1, true), model::kBlockSize);
  EXPECT_EQ(groups_.find(0)->allocated, 0b10U);
}

TEST_F(ObjectGroupsTest, NoHoleUnderAWriter) {
  store(0, 0b1);
  groups_.drop(0, 0b1);
  groups_.find(0)->writing = 0b1;
  EXPECT_EQ(groups_.begin_punch(0, 0b1), 0U);
  EXPECT_FALSE(groups_.idle_and_empty());
}

TEST_F(ObjectGroupsTest, FailedHoleKeepsItsSpace) {
  store(0, 0b1);
  groups_.drop(0, 0b1);
  EXPECT_EQ(groups_.begin_punch(0, 0b1), 0b1U);
  EXPECT_EQ(groups_.end_punch(0, 0b1, false), 0U);
  EXPECT_EQ(groups_.begin_punch(0, 0b1), 0b1U) << "to be tried again";
}

TEST_F(ObjectGroupsTest, GenerationCountsDrops) {
  store(0, 0b1);
  const std::uint32_t before = groups_.find(0)->generation;
  EXPECT_EQ(groups_.drop(0, 0b10), 0U);
  EXPECT_EQ(groups_.find(0)->generation, before);
  groups_.drop(0, 0b1);
  EXPECT_NE(groups_.find(0)->generation, before);
}

TEST_F(ObjectGroupsTest, RowsOfAnotherShapeAreCut) {
  GroupRow row;
  row.present = ~0ULL;
  groups_.load(1, row);
  EXPECT_EQ(groups_.find(1)->present, 0x3fU);
  groups_.load(7, row);  // beyond the end: ignored
}

TEST_F(ObjectGroupsTest, ChangesAddUp) {
  store(0, 0b111);
  static_cast<void>(groups_.begin_commit());
  GroupRow row = groups_.row(key_, 0, true);
  EXPECT_EQ(groups_.change(0, row).bytes, 3 * std::int64_t{model::kBlockSize});
  EXPECT_EQ(groups_.change(0, row).protected_bytes, 0);
  groups_.applied(0, row);
  groups_.end_commit(true);
  groups_.find(0)->use.is_protected = true;
  groups_.drop(0, 0b1);
  row = groups_.row(key_, 0, false);
  EXPECT_EQ(groups_.change(0, row).bytes, -std::int64_t{model::kBlockSize});
  EXPECT_EQ(groups_.change(0, row).protected_bytes, 2 * std::int64_t{model::kBlockSize});
}

}  // namespace
}  // namespace lazyvol::cache
