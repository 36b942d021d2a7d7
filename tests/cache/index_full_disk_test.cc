// The index on a disk that really is full (a small tmpfs; needs the right to mount).
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <map>
#include <random>

#include "cache/index.h"
#include "support/temp_dir.h"

namespace lazyvol::cache {
namespace {

class IndexFullDisk : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::mount("tmpfs", dir_.path().c_str(), "tmpfs", 0, "size=96m") != 0) {
      GTEST_SKIP() << "mounting a tmpfs is not allowed here";
    }
    mounted_ = true;
    open();
  }
  void TearDown() override {
    index_.reset();
    if (!mounted_) return;
    EXPECT_EQ(::umount(dir_.path().c_str()), 0);
  }
  void open() {
    index_.reset();
    auto opened = Index::open(dir_.path());
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    index_ = *std::move(opened);
  }
  Status put(std::uint64_t key, std::size_t size) {
    IndexBatch batch;
    const auto space = static_cast<Keyspace>(key % kKeyspaces);
    std::string value = lazyvol::testing::noise(size, key);
    batch.put(space, std::to_string(key), value);
    Status status = index_->write(std::move(batch), key % 64 == 0);
    if (status.ok()) accepted_[key] = size;
    return status;
  }
  void check_accepted() {
    for (const auto& [key, size] : accepted_) {
      const auto got = index_->get(static_cast<Keyspace>(key % kKeyspaces), std::to_string(key));
      ASSERT_TRUE(got.ok()) << got.error().message;
      ASSERT_EQ(*got, lazyvol::testing::noise(size, key));
    }
  }
  // Takes every block that the file system has left.
  void fill_disk() {
    const int fd = ::open((dir_.path() / "fill").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ASSERT_GE(fd, 0);
    const std::string bytes(64 * 1024, 'x');
    while (::write(fd, bytes.data(), bytes.size()) > 0) {
    }
    ::close(fd);
  }
  void free_disk() { std::filesystem::remove(dir_.path() / "fill"); }

  lazyvol::testing::TempDir dir_;
  bool mounted_ = false;
  std::unique_ptr<Index> index_;
  std::map<std::uint64_t, std::size_t> accepted_;
};

TEST_F(IndexFullDisk, RefusesInTimeWhenItFillsTheDiskItself) {
  Status status;
  std::uint64_t key = 0;
  for (; key < 100'000 && status.ok(); ++key) status = put(key, 20'000);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, Code::no_space) << status.error().message;
  EXPECT_GT(accepted_.size(), 100U);
  check_accepted();
  open();
  check_accepted();
}

TEST_F(IndexFullDisk, AFullDiskIsNoSpaceAndNothingElse) {
  for (std::uint64_t key = 0; key < 1'000; ++key) ASSERT_TRUE(put(key, 10'000).ok());
  fill_disk();
  for (std::uint64_t key = 1'000; key < 1'100; ++key) {
    const Status status = put(key, 10'000);
    ASSERT_FALSE(status.ok());
    ASSERT_EQ(status.error().code, Code::no_space) << status.error().message;
  }
  check_accepted();
  free_disk();
  ASSERT_TRUE(put(2'000, 10'000).ok()) << "it recovers by itself";
}

TEST_F(IndexFullDisk, OpensOnAFullDiskThanksToItsReserve) {
  for (std::uint64_t key = 0; key < 300; ++key) ASSERT_TRUE(put(key, 10'000).ok());
  index_.reset();
  fill_disk();
  ASSERT_NO_FATAL_FAILURE(open());
  check_accepted();
  EXPECT_EQ(put(5'000, 10).error().code, Code::no_space);
  free_disk();
  EXPECT_TRUE(put(5'000, 10).ok());
}

// Others fill and free the disk at any moment, so that flushes and compactions meet ENOSPC midway.
TEST_F(IndexFullDisk, SurvivesADiskThatFillsAndEmptiesUnderIt) {
  std::mt19937_64 random(1);
  std::uint64_t refused = 0;
  for (std::uint64_t round = 0; round < 40; ++round) {
    for (std::uint64_t n = 0; n < 60; ++n) {
      const std::uint64_t key = random() % 400;
      accepted_.erase(key);  // unknown if it fails
      if (!put(key, 5'000 + random() % 20'000).ok()) ++refused;
      if (n == random() % 60) fill_disk();
    }
    free_disk();
  }
  EXPECT_GT(refused, 0U);
  open();
  check_accepted();
}

}  // namespace
}  // namespace lazyvol::cache
