// Whose directory it is, and who holds it.
#include <sys/stat.h>
#include <unistd.h>

#include "block_support.h"

namespace lazyvol::cache::testing {
namespace {

class BlockCacheDirTest : public BlockCacheTest {
 protected:
  Error refused() {
    auto cache = BlockCache::open(options());
    EXPECT_FALSE(cache.ok());
    return cache.ok() ? Error{} : cache.error();
  }
  std::filesystem::path dir() const { return temp_.path() / "cache"; }
};

TEST_F(BlockCacheDirTest, IsMadePrivateWithItsParents) {
  auto with = options();
  with.dir = temp_.path() / "a/b/cache";
  const auto cache = open(with);
  struct stat status {};
  ASSERT_EQ(::stat(with.dir.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0700U);
}

TEST_F(BlockCacheDirTest, OneHolderAtATime) {
  const auto cache = open();
  const Error error = refused();
  EXPECT_EQ(error.code, Code::busy);
  EXPECT_NE(error.message.find(std::to_string(::getpid())), std::string::npos) << error.message;
  EXPECT_NE(error.message.find(dir().string()), std::string::npos) << error.message;
}

TEST_F(BlockCacheDirTest, IsFreeAfterClosing) {
  open().reset();
  EXPECT_NE(open(), nullptr);
}

TEST_F(BlockCacheDirTest, ForeignFilesAreLeftAlone) {
  lazyvol::testing::write_file(dir() / "thesis.tex", "precious");
  EXPECT_EQ(refused().code, Code::invalid_argument);
  EXPECT_FALSE(std::filesystem::exists(dir() / "lock"));
  EXPECT_EQ(lazyvol::testing::read_file(dir() / "thesis.tex"), "precious");
}

TEST_F(BlockCacheDirTest, FreshFileSystemIsFine) {
  std::filesystem::create_directories(dir() / "lost+found");
  EXPECT_NE(open(), nullptr);
}

TEST_F(BlockCacheDirTest, NewerFormatIsRefused) {
  open().reset();
  lazyvol::testing::write_file(dir() / "lazyvol-cache", "lazyvol cache, format 3\n");
  const Error error = refused();
  EXPECT_EQ(error.code, Code::unsupported);
  EXPECT_NE(error.message.find("format 3"), std::string::npos) << error.message;
}

TEST_F(BlockCacheDirTest, StrangeMarkerIsRefused) {
  lazyvol::testing::write_file(dir() / "lazyvol-cache", "my notes\n");
  EXPECT_EQ(refused().code, Code::invalid_argument);
}

TEST_F(BlockCacheDirTest, FileInItsPlace) {
  lazyvol::testing::write_file(dir(), "a file");
  EXPECT_EQ(refused().code, Code::not_directory);
}

TEST_F(BlockCacheDirTest, FilesOfALostIndexAreRemoved) {
  {
    const auto cache = open();
    store_all(*cache->content(key_of(1), 2 * kMiB), 1);
    store_all(*cache->content(key_of(2), 100), 2);
  }
  std::filesystem::remove_all(dir() / "index");
  auto cache = open();
  const auto content = cache->content(key_of(1), 2 * kMiB);
  EXPECT_EQ(hits_of(*content, 1), 0U);
  store_all(*content, 1);  // in a file of the old name
  EXPECT_EQ(hits_of(*content, 1), blocks_in(2 * kMiB));
  cache.reset();  // joins the sweep
  EXPECT_FALSE(std::filesystem::exists(dir() / "trash"));
}

}  // namespace
}  // namespace lazyvol::cache::testing
