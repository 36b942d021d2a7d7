#include "publish/dir_store.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <vector>

#include "publish/store_conformance.h"
#include "support/temp_dir.h"

namespace lazyvol::publish {
namespace {

namespace fs = std::filesystem;
using lazyvol::testing::read_file;
using lazyvol::testing::TempDir;
using lazyvol::testing::write_file;

class DirPlace final : public StorePlace {
 public:
  std::unique_ptr<Store> open() override {
    auto store = make_dir_store(temp_.path() / "deep" / "volume");
    EXPECT_TRUE(store.ok()) << store.error().message;
    return *std::move(store);
  }

 private:
  TempDir temp_;
};

INSTANTIATE_TEST_SUITE_P(Dir, StoreConformance,
                         ::testing::Values(StoreKind{"dir",
                                                     [] { return std::make_unique<DirPlace>(); }}),
                         [](const auto& which) { return which.param.name; });

class DirStoreTest : public ::testing::Test {
 protected:
  std::vector<std::string> temporaries() const {
    std::vector<std::string> result;
    for (const auto& one : fs::directory_iterator(root_ / ".lazyvol")) {
      const std::string name = one.path().filename().string();
      if (name.starts_with("tmp-")) result.push_back(name);
    }
    return result;
  }
  TempDir temp_;
  fs::path root_ = temp_.path() / "volume";
};

TEST_F(DirStoreTest, ObjectsAreFilesThatAWebServerMayRead) {
  auto store = make_dir_store(root_);
  ASSERT_TRUE(store.ok());
  auto writer = (*store)->create();
  ASSERT_TRUE(writer.ok());
  ASSERT_TRUE((*writer)->write("bytes").ok());
  ASSERT_TRUE((*writer)->commit("packs/ab/abcd").ok());
  ASSERT_TRUE((*store)->replace("lazyvol-head", std::nullopt, "head").ok());
  EXPECT_EQ(read_file(root_ / "packs/ab/abcd"), "bytes");
  for (const char* path : {"packs/ab/abcd", "lazyvol-head"}) {
    struct stat status {};
    ASSERT_EQ(::stat((root_ / path).c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0444U, 0444U) << path;
    EXPECT_EQ(status.st_nlink, 1U) << path;
  }
  EXPECT_THAT(temporaries(), ::testing::IsEmpty());
}

TEST_F(DirStoreTest, WhatAKilledPublisherLeftGoesAndWhatIsBeingWrittenStays) {
  auto store = make_dir_store(root_);
  ASSERT_TRUE(store.ok());
  auto writer = (*store)->create();
  ASSERT_TRUE(writer.ok());
  ASSERT_TRUE((*writer)->write("still at it").ok());
  write_file(root_ / ".lazyvol" / "tmp-1-1-1", "left by a process that is no more");
  ASSERT_EQ(temporaries().size(), 2U);
  ASSERT_TRUE(make_dir_store(root_).ok());
  EXPECT_EQ(temporaries().size(), 1U);
  EXPECT_FALSE(fs::exists(root_ / ".lazyvol" / "tmp-1-1-1"));
  ASSERT_TRUE((*writer)->commit("packs/00/x").ok());
  EXPECT_EQ(read_file(root_ / "packs/00/x"), "still at it");
}

TEST_F(DirStoreTest, ForeignNamesAreShownAndOursAreNot) {
  auto store = make_dir_store(root_);
  ASSERT_TRUE(store.ok());
  ASSERT_TRUE((*store)->replace("lazyvol-head", std::nullopt, "head").ok());
  write_file(root_ / "README", "by somebody else");
  ASSERT_EQ(::mkfifo((root_ / "fifo").c_str(), 0600), 0);
  const auto listed = (*store)->list("");
  ASSERT_TRUE(listed.ok());
  std::vector<std::string> names;
  for (const auto& one : *listed) names.push_back(one.path);
  EXPECT_THAT(names, ::testing::ElementsAre("README", "lazyvol-head"));
  EXPECT_EQ((*store)->read(".lazyvol/lock", 0, 1).error().code, Code::invalid_argument);
  EXPECT_FALSE((*store)->stat("fifo")->has_value());
  EXPECT_FALSE((*store)->read("fifo", 0, 1).ok());
}

TEST_F(DirStoreTest, AFileIsNoStore) {
  write_file(root_, "a file");
  EXPECT_EQ(make_dir_store(root_).error().code, Code::not_directory);
  EXPECT_EQ(make_dir_store(root_ / "below").error().code, Code::not_directory);
  EXPECT_EQ(open_dir_store(root_).error().code, Code::not_directory);
}

TEST_F(DirStoreTest, AReaderMakesNothing) {
  EXPECT_EQ(open_dir_store(root_).error().code, Code::not_found);
  EXPECT_FALSE(fs::exists(root_));
  fs::create_directories(root_);
  auto store = open_dir_store(root_);
  ASSERT_TRUE(store.ok());
  EXPECT_TRUE((*store)->list("")->empty());
  EXPECT_TRUE(fs::is_empty(root_));
}

TEST_F(DirStoreTest, AFullDiskIsSaid) {
  // /dev/full would do, but not through a directory: a small file system of our own.
  const fs::path disk = temp_.path() / "disk";
  fs::create_directories(disk);
  if (::system(("mount -t tmpfs -o size=1m none " + disk.string() + " 2>/dev/null").c_str()) != 0) {
    GTEST_SKIP() << "needs the right to mount";
  }
  {
    auto store = make_dir_store(disk);
    ASSERT_TRUE(store.ok());
    auto writer = (*store)->create();
    ASSERT_TRUE(writer.ok());
    const Status written = (*writer)->write(lazyvol::testing::noise(2 << 20, 3));
    ASSERT_FALSE(written.ok());
    EXPECT_EQ(written.error().code, Code::no_space);
  }
  auto again = make_dir_store(disk);
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE((*again)->replace("lazyvol-head", std::nullopt, "head").ok()) << "space came back";
  EXPECT_EQ(::system(("umount " + disk.string()).c_str()), 0);
}

}  // namespace
}  // namespace lazyvol::publish
