// A damaged index is set aside and begun anew; one in use by another process is left alone.
#include <gmock/gmock.h>
#include <sys/wait.h>

#include <algorithm>
#include <fstream>

#include "cache/index.h"
#include "child_process.h"
#include "support/temp_dir.h"

namespace lazyvol::cache {
namespace {

namespace fs = std::filesystem;

class IndexDamage : public ::testing::Test {
 protected:
  std::unique_ptr<Index> open() {
    auto opened = Index::open(dir_.path());
    EXPECT_TRUE(opened.ok()) << opened.error().message;
    return opened.ok() ? *std::move(opened) : nullptr;
  }
  // Enough for several table files in each of two keyspaces.
  void fill() {
    const auto index = open();
    for (int n = 0; n < 400; ++n) {
      IndexBatch batch;
      for (const auto space : {Keyspace::objects, Keyspace::directories}) {
        batch.put(space, std::to_string(n), lazyvol::testing::noise(40'000, n));
      }
      ASSERT_TRUE(index->write(std::move(batch), false).ok());
    }
  }
  std::vector<fs::path> files(std::string_view part) {
    std::vector<fs::path> result;
    for (const auto& file : fs::directory_iterator(dir_.path() / "index")) {
      if (file.path().filename().string().find(part) != std::string::npos) {
        result.push_back(file.path());
      }
    }
    std::sort(result.begin(), result.end());
    return result;
  }
  std::size_t set_aside() {
    std::size_t count = 0;
    for (const auto& file : fs::directory_iterator(dir_.path())) {
      count += file.path().filename().string().starts_with("index.damaged-");
    }
    return count;
  }
  static void overwrite(const fs::path& file, std::uint64_t offset, std::string_view bytes) {
    std::fstream out(file, std::ios::in | std::ios::out | std::ios::binary);
    out.seekp(static_cast<std::streamoff>(offset));
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    ASSERT_TRUE(out.good());
  }
  // The index must be new, and usable.
  void expect_begun_anew() {
    EXPECT_EQ(set_aside(), 1U);
    const auto index = open();
    EXPECT_EQ(*index->get(Keyspace::objects, "1"), std::nullopt);
    IndexBatch batch;
    batch.put(Keyspace::objects, "1", "new");
    EXPECT_TRUE(index->write(std::move(batch), true).ok());
    EXPECT_EQ(*index->get(Keyspace::objects, "1"), "new");
  }

  lazyvol::testing::TempDir dir_;
};

TEST_F(IndexDamage, GarbageInCurrent) {
  fill();
  lazyvol::testing::write_file(dir_.path() / "index" / "CURRENT", "garbage");
  open();
  expect_begun_anew();
}

TEST_F(IndexDamage, GarbageInTheManifest) {
  fill();
  const auto manifests = files("MANIFEST");
  ASSERT_FALSE(manifests.empty());
  overwrite(manifests.back(), 0, std::string(2'000, '\x5a'));
  open();
  expect_begun_anew();
}

TEST_F(IndexDamage, AMissingManifest) {
  fill();
  for (const auto& file : files("MANIFEST")) fs::remove(file);
  open();
  expect_begun_anew();
}

TEST_F(IndexDamage, AMissingTable) {
  fill();
  ASSERT_FALSE(files(".sst").empty());
  fs::remove(files(".sst").front());
  open();
  expect_begun_anew();
}

TEST_F(IndexDamage, ATableCutShort) {
  fill();
  const auto table = files(".sst").front();
  fs::resize_file(table, fs::file_size(table) - 1'000);
  open();
  expect_begun_anew();
}

TEST_F(IndexDamage, AFooterOverwritten) {
  fill();
  for (const auto& table : files(".sst")) {
    overwrite(table, fs::file_size(table) - 40, std::string(40, '\x5a'));
  }
  open();
  expect_begun_anew();
}

TEST_F(IndexDamage, ADamagedEndOfTheLogLosesOnlyTheEnd) {
  {
    const auto index = open();
    for (int n = 0; n < 100; ++n) {
      IndexBatch batch;
      batch.put(Keyspace::objects, std::to_string(n), std::string(100, 'v'));
      ASSERT_TRUE(index->write(std::move(batch), false).ok());
    }
  }
  const auto logs = files(".log");
  ASSERT_FALSE(logs.empty());
  fs::resize_file(logs.back(), fs::file_size(logs.back()) - 50);
  const auto index = open();
  EXPECT_EQ(set_aside(), 0U);
  EXPECT_EQ(*index->get(Keyspace::objects, "98"), std::string(100, 'v'));
  EXPECT_EQ(*index->get(Keyspace::objects, "99"), std::nullopt);
}

TEST_F(IndexDamage, ABadBlockFoundLaterIsCorruptAndMendedByTheNextStart) {
  fill();
  for (const auto& table : files(".sst")) {  // data come first, footer and index last
    overwrite(table, 0, std::string(fs::file_size(table) / 2, '\x5a'));
  }
  int corrupt = 0;
  {
    const auto index = open();
    ASSERT_EQ(set_aside(), 0U);
    for (int n = 0; n < 400; ++n) {
      const auto got = index->get(Keyspace::objects, std::to_string(n));
      if (got.ok()) {
        EXPECT_EQ(*got, lazyvol::testing::noise(40'000, n));
      } else {
        EXPECT_EQ(got.error().code, Code::corrupt);
        ++corrupt;
      }
    }
  }
  EXPECT_GT(corrupt, 0);
  open();
  expect_begun_anew();
}

TEST_F(IndexDamage, KeepsTheNewestThree) {
  for (int n = 0; n < 5; ++n) {
    open();
    lazyvol::testing::write_file(dir_.path() / "index" / "CURRENT", "garbage");
  }
  open();
  EXPECT_EQ(set_aside(), 3U);
}

TEST_F(IndexDamage, BusyInThisProcess) {
  const auto index = open();
  const auto again = Index::open(dir_.path());
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().code, Code::busy);
  EXPECT_NE(again.error().message.find(std::to_string(::getpid())), std::string::npos)
      << again.error().message;
}

// Not a test of its own: the other process of the next one.
TEST(IndexDamageChild, DISABLED_HoldsTheIndex) {
  const auto index = Index::open(testing::child_argument());
  ASSERT_TRUE(index.ok());
  testing::child_ready();
  testing::child_wait();
}

TEST_F(IndexDamage, BusyInAnotherProcessAndFreeAfterItsDeath) {
  testing::ChildProcess child("IndexDamageChild.DISABLED_HoldsTheIndex", dir_.path());
  child.wait_ready();
  const auto opened = Index::open(dir_.path());
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, Code::busy);
  EXPECT_NE(opened.error().message.find(std::to_string(child.pid())), std::string::npos);
  child.kill();
  EXPECT_NE(open(), nullptr);
}

TEST_F(IndexDamage, AFileInThePlaceOfTheFolder) {
  lazyvol::testing::write_file(dir_.path() / "file", "");
  const auto opened = Index::open(dir_.path() / "file");
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, Code::not_directory);
}

}  // namespace
}  // namespace lazyvol::cache
