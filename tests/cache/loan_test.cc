// Contents lent as files: only whole and verified ones, and nothing happens to them meanwhile.
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "block_support.h"

namespace lazyvol::cache::testing {
namespace {

constexpr std::uint64_t kSize = 5 * kMiB + 4'321;

class Loan : public BlockCacheTest {
 protected:
  std::shared_ptr<BlockCache> open_limited(std::uint64_t max_bytes) {
    auto with = options();
    with.max_bytes = max_bytes;
    return open(with);
  }
  static std::shared_ptr<CachedContent> stored(BlockCache& cache, std::uint64_t number,
                                               std::uint64_t size = kSize) {
    auto content = cache.content(key_of(number), size);
    store_all(*content, number);
    EXPECT_TRUE(cache.commit().ok());
    return content;
  }
  /// Asks until it is lent: verifying takes a moment.
  static std::unique_ptr<LocalFile> borrow(CachedContent& content) {
    for (int i = 0; i < 2'000; ++i) {
      if (auto file = content.lend()) return file;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    ADD_FAILURE() << "never lent";
    return nullptr;
  }
  /// Asks for as long as verifying might take.
  static bool ever_lent(CachedContent& content) {
    for (int i = 0; i < 40; ++i) {
      if (content.lend() != nullptr) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
  }
  static Bytes bytes_of(std::uint64_t number, std::uint64_t size = kSize) {
    Bytes bytes(size);
    fill_content(number, 0, bytes);
    return bytes;
  }
  static Bytes read_fd(int fd, std::uint64_t size = kSize) {
    Bytes bytes(size);
    EXPECT_EQ(::pread(fd, bytes.data(), size, 0), static_cast<ssize_t>(size));
    return bytes;
  }
  std::filesystem::path only_object() const {
    std::filesystem::path found;
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(temp_.path() / "cache/objects")) {
      if (entry.is_regular_file()) found = entry.path();
    }
    return found;
  }
};

TEST_F(Loan, AWholeContentIsLentOnceItIsVerifiedOnTheDisk) {
  const auto cache = open();
  const auto content = cache->content(key_of(1), kSize);
  const std::uint64_t last = content->layout().count() - 1;
  for (std::uint64_t block = 0; block < last; ++block) {
    ASSERT_TRUE(store_block(*content, 1, block).ok());
  }
  EXPECT_EQ(content->lend(), nullptr) << "a block is missing";
  ASSERT_TRUE(store_block(*content, 1, last).ok());
  EXPECT_EQ(content->lend(), nullptr) << "not yet on the disk";
  ASSERT_TRUE(cache->commit().ok());
  const auto file = borrow(*content);
  ASSERT_NE(file, nullptr);
  EXPECT_EQ(read_fd(file->fd()), bytes_of(1));
}

TEST_F(Loan, ContentsThatShareFilesAreNotLent) {
  const auto cache = open();
  EXPECT_FALSE(ever_lent(*stored(*cache, 1, 100'000)));
}

TEST_F(Loan, TheProofOutlivesTheContentButNotTheProcess) {
  {
    const auto cache = open();
    borrow(*stored(*cache, 1));
    EXPECT_NE(cache->content(key_of(1), kSize)->lend(), nullptr);
  }
  const auto cache = open();
  const auto content = cache->content(key_of(1), kSize);
  EXPECT_EQ(content->lend(), nullptr) << "nobody has looked at it in this life";
  EXPECT_NE(borrow(*content), nullptr);
}

TEST_F(Loan, DamageIsFoundBeforeAnythingIsLent) {
  { stored(*open(), 1); }
  {
    std::fstream file(only_object(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(3 * kMiB);
    file.put('!');
  }
  const auto cache = open();
  const auto content = cache->content(key_of(1), kSize);
  EXPECT_FALSE(ever_lent(*content));
  EXPECT_EQ(cache->stats().corrupt_blocks, 1U);
  store_all(*content, 1);  // fetched again
  ASSERT_TRUE(cache->commit().ok());
  const auto file = borrow(*content);
  ASSERT_NE(file, nullptr);
  EXPECT_EQ(read_fd(file->fd()), bytes_of(1));
}

TEST_F(Loan, AFileOfAnotherLengthIsNotLent) {
  const auto cache = open();
  const auto content = stored(*cache, 1);
  borrow(*content);
  std::filesystem::resize_file(only_object(), kSize + 1);
  EXPECT_EQ(content->lend(), nullptr);
}

TEST_F(Loan, WhatIsLentStaysWhateverIsEvicted) {
  const auto cache = open_limited(64 * kMiB);
  auto lent = stored(*cache, 1);
  auto file = borrow(*lent);
  EXPECT_EQ(lent->evict(), 0U);
  for (std::uint64_t number = 2; number < 40; ++number) stored(*cache, number);
  EXPECT_LE(cache->stats().bytes, 64 * kMiB);
  EXPECT_TRUE(cache->trim(0).ok());
  ASSERT_TRUE(cache->commit().ok());
  EXPECT_EQ(read_fd(file->fd()), bytes_of(1));
  EXPECT_EQ(hits_of(*lent, 1), lent->layout().count());
  file.reset();
  EXPECT_GT(lent->evict(), kSize);
  EXPECT_EQ(hits_of(*lent, 1), 0U);
  EXPECT_EQ(lent->lend(), nullptr);
}

// A mapping goes on when the file that it was made of is closed, and nobody tells.
TEST_F(Loan, AMappingThatOutlivesItsLoanSeesNoHole) {
  const auto cache = open_limited(64 * kMiB);
  const auto content = stored(*cache, 1);
  auto file = borrow(*content);
  void* map = ::mmap(nullptr, kSize, PROT_READ, MAP_SHARED, file->fd(), 0);
  ASSERT_NE(map, MAP_FAILED);
  file.reset();
  for (std::uint64_t number = 2; number < 40; ++number) stored(*cache, number);
  EXPECT_EQ(hits_of(*content, 1), 0U) << "it was not evicted";
  EXPECT_LE(cache->stats().bytes, 64 * kMiB);
  EXPECT_EQ(std::memcmp(map, bytes_of(1).data(), kSize), 0);
  ::munmap(map, kSize);
}

TEST_F(Loan, AMappingSeesNoHoleOfTheNextLifeEither) {
  void* map = nullptr;
  {
    const auto cache = open();
    const auto file = borrow(*stored(*cache, 1));
    map = ::mmap(nullptr, kSize, PROT_READ, MAP_SHARED, file->fd(), 0);
    ASSERT_NE(map, MAP_FAILED);
  }
  const auto cache = open_limited(64 * kMiB);
  for (std::uint64_t number = 2; number < 40; ++number) stored(*cache, number);
  EXPECT_EQ(hits_of(*cache->content(key_of(1), kSize), 1), 0U) << "it was not evicted";
  EXPECT_EQ(std::memcmp(map, bytes_of(1).data(), kSize), 0);
  ::munmap(map, kSize);
}

TEST_F(Loan, OneMayEndAfterTheCacheWasClosed) {
  std::unique_ptr<LocalFile> file;
  {
    const auto cache = open();
    file = borrow(*stored(*cache, 1));
  }
  EXPECT_EQ(read_fd(file->fd()), bytes_of(1));
  file.reset();  // and with it the last of the cache
  EXPECT_NE(borrow(*open()->content(key_of(1), kSize)), nullptr);
}

TEST_F(Loan, EvictionGoesOnBesideManyLoans) {
  const auto cache = open_limited(64 * kMiB);
  std::vector<std::unique_ptr<LocalFile>> files;
  for (std::uint64_t number = 1; number <= 6; ++number) {
    files.push_back(borrow(*stored(*cache, number)));
  }
  for (std::uint64_t number = 10; number < 60; ++number) stored(*cache, number);
  EXPECT_EQ(cache->stats().bypassed_blocks, 0U) << "what is not lent could have gone";
  for (std::uint64_t number = 1; number <= 6; ++number) {
    EXPECT_EQ(read_fd(files[number - 1]->fd()), bytes_of(number));
  }
}

TEST_F(Loan, ALargeContentGoesThroughBesideLoans) {
  const auto cache = open_limited(64 * kMiB);
  std::vector<std::unique_ptr<LocalFile>> files;
  for (std::uint64_t number = 1; number <= 3; ++number) {
    files.push_back(borrow(*stored(*cache, number)));
  }
  const auto content = cache->content(key_of(9), 64 * kMiB);
  for (std::uint64_t block = 0; block < content->layout().count(); ++block) {
    const Status put = store_block(*content, 9, block);
    ASSERT_TRUE(put.ok() || Status(put).error().code == Code::no_space);
  }
  // Its own older blocks make room for the newer ones; the lent ones never do.
  for (std::uint64_t number = 1; number <= 3; ++number) {
    EXPECT_EQ(read_fd(files[number - 1]->fd()), bytes_of(number));
  }
  EXPECT_LE(cache->stats().bytes, 64 * kMiB);
}

TEST_F(Loan, ManyThreadsBorrowReadAndEvict) {
  const auto cache = open_limited(48 * kMiB);
  std::atomic<int> lent{0}, wrong{0};
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (std::uint64_t i = 0; i < 60; ++i) {
        const std::uint64_t number = 1 + (i * 7 + t * 3) % 12;
        const auto content = cache->content(key_of(number), kSize);
        for (std::uint64_t block = 0; block < content->layout().count(); ++block) {
          static_cast<void>(store_block(*content, number, block));
        }
        if (i % 4 == 0) static_cast<void>(cache->commit());
        for (int tries = 0; tries < 10; ++tries) {
          if (const auto file = content->lend()) {
            lent++;
            if (read_fd(file->fd()) != bytes_of(number)) wrong++;
            break;
          }
          std::this_thread::sleep_for(std::chrono::milliseconds(3));
        }
        if (i % 9 == 0) content->evict();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(lent, 0);
}

}  // namespace
}  // namespace lazyvol::cache::testing
