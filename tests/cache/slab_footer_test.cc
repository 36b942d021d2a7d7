// Footers: read back as written; anything else is none.
#include <fcntl.h>
#include <unistd.h>

#include "block_support.h"
#include "cache/slab_format.h"

namespace lazyvol::cache::testing {
namespace {

class SlabFooter : public ::testing::Test {
 protected:
  SlabFooter() {
    for (std::uint64_t i = 0; i < 5; ++i) {
      entries_.push_back(
          {.key = slab_key(key_of(i), i),
           .at = {
               .slab = 7, .offset = static_cast<std::uint32_t>(i * 64), .length = 60, .sum = i}});
    }
    body_ = lazyvol::testing::noise(320, 1);
  }
  Result<std::vector<SlabEntry>> read(const std::string& bytes, std::uint64_t slab = 7) {
    const auto path = temp_.path() / "slab";
    lazyvol::testing::write_file(path, bytes);
    const CacheFile file(::open(path.c_str(), O_RDONLY), "slab", hooks_);
    return read_slab_footer(file, slab);
  }
  std::string whole() const { return body_ + encode_slab_footer(7, body_.size(), entries_); }

  lazyvol::testing::TempDir temp_;
  FileHooks hooks_;
  std::vector<SlabEntry> entries_;
  std::string body_;
};

TEST_F(SlabFooter, RoundTrip) {
  const auto back = read(whole());
  ASSERT_TRUE(back.ok());
  ASSERT_EQ(back->size(), entries_.size());
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    EXPECT_EQ((*back)[i].key, entries_[i].key);
    EXPECT_EQ((*back)[i].at, entries_[i].at);
  }
}

TEST_F(SlabFooter, AnyFlippedBitInItShows) {
  const std::string right = whole();
  for (std::size_t at = body_.size(); at < right.size(); ++at) {
    std::string wrong = right;
    wrong[at] = static_cast<char>(wrong[at] ^ 1);
    EXPECT_FALSE(read(wrong).ok()) << at;
  }
}

TEST_F(SlabFooter, CutFilesAndOtherSlabs) {
  const std::string right = whole();
  for (const std::size_t cut : {std::size_t{0}, std::size_t{31}, body_.size(), right.size() - 1}) {
    EXPECT_FALSE(read(right.substr(0, cut)).ok()) << cut;
  }
  EXPECT_FALSE(read(right, 8).ok());
}

}  // namespace
}  // namespace lazyvol::cache::testing
