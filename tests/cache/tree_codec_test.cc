// The packing of directories: what goes in comes out, and nothing else is believed.
#include <gtest/gtest.h>

#include <random>

#include "cache/directory_codec.h"
#include "tree_test_data.h"

namespace lazyvol::cache {
namespace {

std::string pack(const std::vector<StoredEntry>& entries) {
  ChunkEncoder encoder;
  for (const auto& entry : entries) encoder.add(entry);
  return encoder.take();
}

Result<std::vector<StoredEntry>> unpack(std::string_view chunk) {
  std::vector<StoredEntry> result;
  ChunkCursor cursor(chunk);
  while (cursor.next()) result.push_back(cursor.entry());
  LAZYVOL_TRY(cursor.status());
  return result;
}

StoredEntry extreme(std::string name) {
  StoredEntry entry;
  entry.remote.name = std::move(name);
  entry.remote.type = NodeType::symlink;
  entry.remote.size = UINT64_MAX;
  entry.remote.mtime_ns = INT64_MIN;
  entry.remote.mode = UINT32_MAX;
  entry.remote.uid = 0;
  entry.remote.gid = UINT32_MAX;
  entry.remote.symlink_target = std::string(kMaxPath, '/');
  entry.remote.validator = std::string(kMaxStoredText, '\0');
  entry.remote.token = std::string(kMaxStoredText, '\xff');
  entry.remote.settled = false;
  entry.id = UINT64_MAX;
  entry.stat_wall_ns = INT64_MAX;
  return entry;
}

TEST(DirectoryCodec, KeepsEveryFieldAtItsLimits) {
  StoredEntry plain;
  plain.remote.name = std::string(kMaxName, 'n');
  plain.remote.mtime_ns = INT64_MAX;
  plain.id = 1;
  const std::vector<StoredEntry> entries{extreme("a"), plain, extreme("\xff")};
  const auto got = unpack(pack(entries));
  ASSERT_TRUE(got.ok()) << got.error().message;
  EXPECT_EQ(*got, entries);
}

TEST(DirectoryCodec, KeepsRandomListings) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 50; ++round) {
    const auto entries = testing::random_listing(random, 200);
    const auto got = unpack(pack(entries));
    ASSERT_TRUE(got.ok()) << got.error().message;
    ASSERT_EQ(*got, entries);
  }
}

TEST(DirectoryCodec, SharedPrefixesAndSmallStepsAreCheap) {
  ChunkEncoder encoder;
  StoredEntry entry;
  for (int n = 0; n < 100; ++n) {
    entry.remote.name = "a-rather-long-common-prefix-" + std::to_string(1000 + n);
    entry.remote.size = 1000;
    entry.id = 500 + static_cast<NodeId>(n);
    encoder.add(entry);
  }
  EXPECT_LT(encoder.size(), 100 * 12);
}

TEST(DirectoryCodec, RefusesWhatCannotBeStored) {
  StoredEntry entry = extreme("ok");
  EXPECT_TRUE(check_storable(entry).ok());
  entry.remote.token.push_back('x');
  EXPECT_EQ(check_storable(entry).error().code, Code::too_large);
  for (const char* name : {"", ".", "..", "a/b"}) {
    EXPECT_EQ(check_storable(extreme(name)).error().code, Code::invalid_argument) << name;
  }
  entry = extreme("ok");
  entry.id = 0;
  EXPECT_EQ(check_storable(entry).error().code, Code::invalid_argument);
}

TEST(DirectoryCodec, AnotherFormatVersionIsCorrupt) {
  std::string chunk = pack({extreme("a")});
  chunk[0] = 2;
  EXPECT_EQ(unpack(chunk).error().code, Code::corrupt);
  EXPECT_EQ(unpack("").error().code, Code::corrupt);
  EXPECT_EQ(decode_header("").error().code, Code::corrupt);
  EXPECT_EQ(decode_place("").error().code, Code::corrupt);
}

TEST(DirectoryCodec, NamesOutOfOrderAreCorrupt) {
  EXPECT_EQ(unpack(pack({extreme("b"), extreme("a")})).error().code, Code::corrupt);
  EXPECT_EQ(unpack(pack({extreme("a"), extreme("a")})).error().code, Code::corrupt);
}

TEST(DirectoryCodec, EveryTruncationIsCorruptOrAShorterListing) {
  std::mt19937_64 random(2);
  const auto entries = testing::random_listing(random, 40);
  const std::string chunk = pack(entries);
  for (std::size_t length = 0; length < chunk.size(); ++length) {
    const std::string cut = chunk.substr(0, length);  // its own memory, so that ASan sees overreads
    const auto got = unpack(cut);
    if (!got.ok()) {
      EXPECT_EQ(got.error().code, Code::corrupt);
      continue;
    }
    ASSERT_LE(got->size(), entries.size());
    EXPECT_TRUE(std::equal(got->begin(), got->end(), entries.begin()));
  }
}

// What mutated input decodes to must itself be storable: names valid, ids set, limits kept.
TEST(DirectoryCodec, MutatedInputIsNeverBelievedBeyondTheRules) {
  std::mt19937_64 random(3);
  int accepted = 0, refused = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string chunk = pack(testing::random_listing(random, 1 + random() % 12));
    testing::mutate(random, chunk);
    const auto got = unpack(chunk);
    ++(got.ok() ? accepted : refused);
    if (!got.ok()) continue;
    for (const auto& entry : *got) ASSERT_TRUE(check_storable(entry).ok());
    ASSERT_TRUE(std::is_sorted(got->begin(), got->end(), [](const auto& a, const auto& b) {
      return a.remote.name < b.remote.name;
    }));
  }
  EXPECT_GT(accepted, 100);
  EXPECT_GT(refused, 100);
}

TEST(DirectoryCodec, HeadersAndPlacesSurviveTheTrip) {
  const DirectoryHeader header{
      .listed_wall_ns = -5, .validator = "\"e\"", .entries = UINT64_MAX, .refused = 7};
  EXPECT_EQ(*decode_header(encode_header(header)), header);
  EXPECT_EQ(decode_header(encode_header(header) + "x").error().code, Code::corrupt);
  const auto place = decode_place(encode_place(UINT64_MAX, "name"));
  EXPECT_EQ(place->parent, UINT64_MAX);
  EXPECT_EQ(place->name, "name");
  EXPECT_EQ(decode_place(encode_place(1, "a/b")).error().code, Code::corrupt);
  EXPECT_EQ(decode_place(encode_place(0, "a")).error().code, Code::corrupt);
}

}  // namespace
}  // namespace lazyvol::cache
