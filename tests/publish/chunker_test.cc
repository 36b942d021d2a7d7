#include "publish/chunker.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "catalog/digest.h"
#include "support/temp_dir.h"

namespace lazyvol::publish {
namespace {

std::vector<std::size_t> cuts(std::string_view bytes, const ChunkSizes& sizes) {
  const Chunker chunker(sizes);
  std::vector<std::size_t> lengths;
  while (!bytes.empty()) {
    lengths.push_back(chunker.cut(bytes));
    bytes.remove_prefix(lengths.back());
  }
  return lengths;
}

std::set<catalog::Digest> chunks(std::string_view bytes, const ChunkSizes& sizes) {
  std::set<catalog::Digest> result;
  for (const std::size_t length : cuts(bytes, sizes)) {
    result.insert(catalog::sha256(bytes.substr(0, length)));
    bytes.remove_prefix(length);
  }
  return result;
}

constexpr std::uint32_t kKiB = 1024;

TEST(Chunker, SizesFollowTheFile) {
  EXPECT_EQ(chunk_sizes(1 << 20, Chunks::standard),
            (ChunkSizes{64 * kKiB, 256 * kKiB, 1024 * kKiB}));
  EXPECT_EQ(chunk_sizes(1 << 20, Chunks::fine), (ChunkSizes{16 * kKiB, 64 * kKiB, 256 * kKiB}));
  const ChunkSizes huge{256 * kKiB, 1024 * kKiB, 4096 * kKiB};
  EXPECT_EQ(chunk_sizes(base::kGiB, Chunks::standard), huge);
  EXPECT_EQ(chunk_sizes(base::kGiB, Chunks::fine), huge);
  EXPECT_EQ(chunk_sizes(base::kGiB, Chunks::fixed), (ChunkSizes{64 * kKiB, 64 * kKiB, 64 * kKiB}));
  EXPECT_NE(chunk_sizes(base::kGiB - 1, Chunks::standard), huge);
}

// To cut otherwise would store every volume anew. The lengths were confirmed by a program in
// another language that was written from the paper.
TEST(Chunker, CutsWhereItAlwaysDid) {
  const std::string bytes = lazyvol::testing::noise(2'000'000, 7);
  EXPECT_EQ(cuts(bytes, chunk_sizes(bytes.size(), Chunks::standard)),
            (std::vector<std::size_t>{360'270, 149'230, 278'969, 318'094, 366'002, 118'925, 326'519,
                                      81'991}));
  EXPECT_EQ(cuts(std::string_view(bytes).substr(0, 300'000), chunk_sizes(300'000, Chunks::fine)),
            (std::vector<std::size_t>{17'775, 78'523, 79'731, 73'395, 50'576}));
}

TEST(Chunker, KeepsTheLimits) {
  const ChunkSizes sizes = chunk_sizes(1 << 20, Chunks::fine);
  for (const std::string& bytes : {lazyvol::testing::noise(20'000'000, 1),
                                   std::string(3'000'000, '\0'), std::string("short")}) {
    const auto lengths = cuts(bytes, sizes);
    for (std::size_t i = 0; i + 1 < lengths.size(); ++i) {
      EXPECT_GE(lengths[i], sizes.least);
      EXPECT_LE(lengths[i], sizes.most);
    }
    EXPECT_LE(lengths.back(), sizes.most);
    EXPECT_EQ(std::accumulate(lengths.begin(), lengths.end(), std::size_t{0}), bytes.size());
  }
  const auto lengths = cuts(lazyvol::testing::noise(20'000'000, 1), sizes);
  const std::size_t mean = 20'000'000 / lengths.size();
  EXPECT_GT(mean, 55U * kKiB);
  EXPECT_LT(mean, 100U * kKiB);
}

TEST(Chunker, MoreBytesBehindDoNotMoveACut) {
  const std::string bytes = lazyvol::testing::noise(3'000'000, 2);
  const Chunker chunker(chunk_sizes(bytes.size(), Chunks::standard));
  const std::size_t most = chunker.sizes().most;
  EXPECT_EQ(chunker.cut(bytes), chunker.cut(std::string_view(bytes).substr(0, most)));
  EXPECT_EQ(chunker.cut(bytes), chunker.cut(std::string_view(bytes).substr(0, most + 1)));
}

TEST(Chunker, AnInsertionChangesFewChunks) {
  const ChunkSizes sizes = chunk_sizes(1 << 20, Chunks::fine);
  std::string bytes = lazyvol::testing::noise(8'000'000, 3);
  const auto before = chunks(bytes, sizes);
  bytes.insert(1'000'000, "some bytes more");
  bytes.erase(5'000'000, 77);
  std::size_t fresh = 0;
  for (const auto& digest : chunks(bytes, sizes)) fresh += before.contains(digest) ? 0 : 1;
  EXPECT_GE(fresh, 2U);
  EXPECT_LE(fresh, 8U) << "of " << before.size();
}

}  // namespace
}  // namespace lazyvol::publish
