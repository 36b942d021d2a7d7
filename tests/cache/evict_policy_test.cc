// The pure parts of eviction, by tables.
#include <gtest/gtest.h>

#include "base/units.h"
#include "cache/block_cache_space.h"
#include "cache/recency.h"

namespace lazyvol::cache {
namespace {

using base::kGiB;
using base::kMiB;

TEST(EvictPolicy, OneReadKeepsProbation) {
  Use use{.last_ms = 1000};
  EXPECT_FALSE(record_read(use, 1500, false));
  EXPECT_FALSE(record_read(use, 1600, false));  // the next part of the same pass
  EXPECT_FALSE(use.is_protected);
  EXPECT_EQ(use.last_ms, 1600U);
}

TEST(EvictPolicy, ReadAgainProtects) {
  Use use{.last_ms = 1000};
  EXPECT_FALSE(record_read(use, 1500, false));
  EXPECT_TRUE(record_read(use, 1600, true));
  EXPECT_FALSE(record_read(use, 1700, true)) << "no change any more";
}

TEST(EvictPolicy, SeparateTimesProtect) {
  Use use{.last_ms = 1000};
  EXPECT_FALSE(record_read(use, 1000 + 10 * kSeparateMs, false)) << "stored long before, read once";
  EXPECT_FALSE(record_read(use, use.last_ms + kSeparateMs - 1, false));
  EXPECT_TRUE(record_read(use, use.last_ms + kSeparateMs, false));
}

TEST(EvictPolicy, OrderOfGoing) {
  const Use old_probation{.last_ms = 1}, new_probation{.last_ms = 9};
  const Use old_protected{.last_ms = 1, .is_protected = true};
  const Use older_protected{.last_ms = 0, .is_protected = true};
  EXPECT_TRUE(goes_before(old_probation, new_probation, true));
  EXPECT_TRUE(goes_before(new_probation, old_protected, true));
  EXPECT_FALSE(goes_before(new_probation, old_protected, false));
  EXPECT_TRUE(goes_before(older_protected, old_protected, true));
  EXPECT_FALSE(goes_before(old_probation, old_probation, true));
}

TEST(EvictPolicy, ClassesMatterWhileSomeIsOnProbation) {
  EXPECT_TRUE(classes_matter(0, 100));
  EXPECT_TRUE(classes_matter(80, 100));
  EXPECT_FALSE(classes_matter(81, 100));
  EXPECT_TRUE(classes_matter(0, 0));
}

TEST(EvictPolicy, Limits) {
  const DiskSpace disk{.total = 100 * kGiB, .available = 50 * kGiB};
  EXPECT_EQ(total_limit({10 * kGiB, 0.1}, disk, kGiB), 10 * kGiB);
  EXPECT_EQ(total_limit({std::nullopt, 0.1}, disk, kGiB), 41 * kGiB);
  EXPECT_EQ(total_limit({std::nullopt, 0.0}, disk, 0), 50 * kGiB - 64 * kMiB);
  EXPECT_EQ(total_limit({std::nullopt, 0.6}, disk, kGiB), 0U);
  EXPECT_EQ(total_limit({0, 0.1}, disk, kGiB), 0U);
  const DiskSpace small{.total = 80 * kMiB, .available = 20 * kMiB};
  EXPECT_EQ(total_limit({std::nullopt, 0.0}, small, 40 * kMiB), 50 * kMiB);
}

TEST(EvictPolicy, LowWatermark) {
  EXPECT_EQ(low_watermark(0), 0U);
  EXPECT_EQ(low_watermark(kMiB), 0U);
  EXPECT_EQ(low_watermark(64 * kMiB), 62 * kMiB);
  EXPECT_EQ(low_watermark(1024 * kGiB), 1024 * kGiB - 256 * kMiB);
}

}  // namespace
}  // namespace lazyvol::cache
