// The plain use of the index: what is written is found, in order, also after a restart.
#include <gmock/gmock.h>

#include "cache/index.h"
#include "support/temp_dir.h"

namespace lazyvol::cache {
namespace {

using ::testing::ElementsAre;

class IndexBasic : public ::testing::Test {
 protected:
  void SetUp() override { open(); }
  void open() {
    index_.reset();
    auto opened = Index::open(dir_.path());
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    index_ = *std::move(opened);
  }
  void put(std::string_view key, std::string_view value, Keyspace space = Keyspace::objects) {
    IndexBatch batch;
    batch.put(space, key, value);
    ASSERT_TRUE(index_->write(std::move(batch), false).ok());
  }
  std::vector<std::string> keys(std::string_view prefix, Keyspace space = Keyspace::objects) {
    std::vector<std::string> result;
    EXPECT_TRUE(index_
                    ->scan(space, prefix,
                           [&](std::string_view key, std::string_view) {
                             result.emplace_back(key);
                             return true;
                           })
                    .ok());
    return result;
  }

  lazyvol::testing::TempDir dir_;
  std::unique_ptr<Index> index_;
};

TEST_F(IndexBasic, AbsentKeyIsNulloptNotAnError) {
  const auto got = index_->get(Keyspace::slabs, "nothing");
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(*got, std::nullopt);
}

TEST_F(IndexBasic, ValuesSurviveReopening) {
  put("key", std::string("a\0b", 3));
  open();
  EXPECT_EQ(*index_->get(Keyspace::objects, "key"), std::string("a\0b", 3));
}

TEST_F(IndexBasic, KeyspacesAreSeparateAndEachIsUsable) {
  for (std::size_t n = 0; n < kKeyspaces; ++n) {
    put("key", std::to_string(n), static_cast<Keyspace>(n));
  }
  open();
  for (std::size_t n = 0; n < kKeyspaces; ++n) {
    EXPECT_EQ(*index_->get(static_cast<Keyspace>(n), "key"), std::to_string(n));
  }
}

TEST_F(IndexBasic, ScanKeepsToThePrefixAndTheOrder) {
  for (const char* key : {"b2", "a", "b1", "c", "b"}) put(key, "");
  EXPECT_THAT(keys("b"), ElementsAre("b", "b1", "b2"));
  EXPECT_THAT(keys(""), ElementsAre("a", "b", "b1", "b2", "c"));
}

TEST_F(IndexBasic, ScanHandlesAPrefixOfHighestBytes) {
  put("\xff\xff", "1");
  put("\xff", "2");
  put("\xfe\xff\xff", "3");
  EXPECT_THAT(keys("\xff"), ElementsAre("\xff", "\xff\xff"));
  EXPECT_THAT(keys("\xfe\xff"), ElementsAre("\xfe\xff\xff"));
}

TEST_F(IndexBasic, ScanStopsWhenTheVisitorHasEnough) {
  for (const char* key : {"a", "b", "c"}) put(key, "");
  int seen = 0;
  ASSERT_TRUE(index_->scan(Keyspace::objects, "", [&](auto, auto) { return ++seen < 2; }).ok());
  EXPECT_EQ(seen, 2);
}

TEST_F(IndexBasic, GetAtOrBeforeFindsTheLastKeyNotAfter) {
  put("d:b", "1");
  put("d:f", "2");
  put("a:z", "before");
  put("e", "after");
  const auto at = [&](std::string_view key) {
    const auto found = index_->get_at_or_before(Keyspace::objects, key, "d:");
    EXPECT_TRUE(found.ok());
    return found.ok() && found->has_value() ? (*found)->second : std::string("none");
  };
  EXPECT_EQ(at("d:a"), "none");
  EXPECT_EQ(at("d:b"), "1");
  EXPECT_EQ(at("d:e"), "1");
  EXPECT_EQ(at("d:f"), "2");
  EXPECT_EQ(at("d:z"), "2");
}

TEST_F(IndexBasic, BatchAppliesInOrder) {
  put("a", "old");
  put("b", "old");
  IndexBatch batch;
  EXPECT_TRUE(batch.empty());
  batch.erase_range(Keyspace::objects, "a", "c");
  batch.put(Keyspace::objects, "a", "new");
  batch.put(Keyspace::objects, "c", "gone");
  batch.erase(Keyspace::objects, "c");
  EXPECT_FALSE(batch.empty());
  ASSERT_TRUE(index_->write(std::move(batch), true).ok());
  EXPECT_THAT(keys(""), ElementsAre("a"));
  EXPECT_EQ(*index_->get(Keyspace::objects, "a"), "new");
}

TEST_F(IndexBasic, DiskBytesGrowWithTheData) {
  const auto before = index_->disk_bytes();
  put("large", lazyvol::testing::noise(1 << 20, 1));
  EXPECT_GE(index_->disk_bytes(), before + (1 << 20));
}

TEST_F(IndexBasic, KeepsNoLogFileOfItsOwn) {
  for (const auto& file : std::filesystem::directory_iterator(dir_.path() / "index")) {
    EXPECT_FALSE(file.path().filename().string().starts_with("LOG")) << file.path();
  }
}

}  // namespace
}  // namespace lazyvol::cache
