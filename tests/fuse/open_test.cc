// Who serves what is open: the kernel by itself, or we, over a real kernel mount.
#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <set>
#include <thread>

#include "fuse/session_fixture.h"

namespace lazyvol::fuse {
namespace {

using lazyvol::testing::noise;
using lazyvol::testing::write_file;

constexpr std::size_t kSize = 2'000'001;

/// The volume and the local file hold different bytes, so that it shows who was asked.
class Open : public testing::SessionTest {
 protected:
  Open() {
    volume_->add_file("f", ours_);
    write_file(local(), theirs_);
  }
  std::filesystem::path local() const { return backing_.path() / "local"; }
  int open_it() const {
    const int fd = ::open(path("f").c_str(), O_RDONLY | O_CLOEXEC);
    EXPECT_GE(fd, 0) << errno;
    return fd;
  }
  static std::string bytes(int fd) {
    std::string out(kSize + 10, '\0');
    std::size_t length = 0;
    for (;;) {
      const ssize_t got =
          ::pread(fd, out.data() + length, out.size() - length, static_cast<off_t>(length));
      EXPECT_GE(got, 0) << errno;
      if (got <= 0) break;
      length += static_cast<std::size_t>(got);
    }
    out.resize(length);
    return out;
  }
  void await(const std::function<bool()>& condition) const {
    for (int i = 0; i < 1'000 && !condition(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    EXPECT_TRUE(condition());
  }
  /// Where the kernel, our rights or the file system do not let it, the reason is told and all is
  /// as it would be without; what is left of the test then says so.
  bool passes() {
    volume_->set_local("f", local().string());
    mount();
    const int fd = open_it();
    const SessionStats stats = session_->stats();
    if (stats.passthrough) {
      EXPECT_EQ(stats.passthrough_reason, "");
      EXPECT_EQ(stats.passed_opens, 1u);
      EXPECT_EQ(bytes(fd), theirs_);
    } else {
      EXPECT_NE(stats.passthrough_reason, "");
      EXPECT_EQ(bytes(fd), ours_);
    }
    ::close(fd);
    await([&] { return session_->stats().passed_files == 0 && volume_->loans() == 0; });
    return stats.passthrough;
  }

  const std::string ours_ = noise(kSize, 1), theirs_ = noise(kSize, 2);
  lazyvol::testing::TempDir backing_;
};

TEST_F(Open, TheKernelReadsALocalFileByItself) {
  if (!passes()) return;
  const std::size_t reads = volume_->reads();
  const int one = open_it(), two = open_it();
  EXPECT_EQ(session_->stats().passed_opens, 3u);
  EXPECT_EQ(session_->stats().passed_files, 1u);
  EXPECT_EQ(volume_->loans(), 1u);
  EXPECT_EQ(bytes(one), theirs_);
  ::close(one);
  EXPECT_EQ(bytes(two), theirs_);
  ::close(two);
  await([&] { return session_->stats().passed_files == 0 && volume_->loans() == 0; });
  EXPECT_EQ(volume_->reads(), reads);
}

TEST_F(Open, AFileThatBecomesLocalWhileOpenIsPassedThroughAfterItsLastClose) {
  mount();
  const int before = open_it();
  EXPECT_EQ(bytes(before), ours_);
  volume_->set_local("f", local().string());
  const int beside = open_it();
  EXPECT_EQ(bytes(beside), ours_);
  ::close(before);
  ::close(beside);
  if (!session_->stats().passthrough) return;
  await([&] {
    const int fd = open_it();
    const bool passed = bytes(fd) == theirs_;
    ::close(fd);
    return passed;
  });
}

TEST_F(Open, AMappingOutlivesTheHandle) {
  if (!passes()) return;
  const int fd = open_it();
  void* map = ::mmap(nullptr, kSize, PROT_READ, MAP_PRIVATE, fd, 0);
  ASSERT_NE(map, MAP_FAILED);
  ::close(fd);
  EXPECT_EQ(std::string(static_cast<const char*>(map), kSize), theirs_);
  ::munmap(map, kSize);
}

TEST_F(Open, ManyOpenersAtOnceNeverMeetAnError) {
  const bool passing = passes();
  std::vector<std::thread> threads;
  std::atomic<int> failed{0}, wrong{0};
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 300; ++i) {
        const int fd = ::open(path("f").c_str(), O_RDONLY | O_CLOEXEC);
        if (fd < 0) {
          failed++;
          continue;
        }
        char byte = 0;
        if (::pread(fd, &byte, 1, i) != 1) failed++;
        const auto at = static_cast<std::size_t>(i);
        if (byte != (passing ? theirs_[at] : ours_[at])) wrong++;
        ::close(fd);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(wrong, 0);
  await([&] { return session_->stats().passed_files == 0 && volume_->loans() == 0; });
}

TEST_F(Open, AMountThatEndsLetsEverythingGo) {
  if (!passes()) return;
  const int fd = open_it();
  ASSERT_TRUE(session_->unmount(true).ok());
  EXPECT_EQ(bytes(fd), theirs_);
  ::close(fd);
  session_.reset();
  EXPECT_EQ(volume_->loans(), 0u);
}

TEST_F(Open, ByTheDaemonNothingIsPassedThrough) {
  volume_->set_local("f", local().string());
  mount(OpenBy::daemon);
  const int fd = open_it();
  EXPECT_EQ(bytes(fd), ours_);
  ::close(fd);
  EXPECT_FALSE(session_->stats().passthrough);
  EXPECT_EQ(session_->stats().passthrough_reason, "not asked for (option open)");
}

TEST_F(Open, ByTheKernelOneOpenIsEnough) {
  volume_->set_local("f", local().string());
  mount(OpenBy::kernel);
  for (int i = 0; i < 50; ++i) {
    const int fd = open_it();
    EXPECT_EQ(bytes(fd), ours_);
    ::close(fd);
  }
  EXPECT_EQ(volume_->opens(), 1u);
}

TEST_F(Open, ByTheKernelWritersAreRefused) {
  mount(OpenBy::kernel);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(::open(path("f").c_str(), O_WRONLY | O_CLOEXEC), -1);
    EXPECT_EQ(errno, EROFS);
    const int fd = open_it();
    ::close(fd);
  }
}

TEST_F(Open, ByTheKernelAReplacedFileIsAnother) {
  mount(OpenBy::kernel);
  const int old = open_it();
  EXPECT_EQ(bytes(old), ours_);
  volume_->replace_file("f", theirs_);
  await([&] {
    const int fd = open_it();
    const bool now = bytes(fd) == theirs_;
    ::close(fd);
    return now;
  });
  EXPECT_EQ(bytes(old), ours_);
  ::close(old);
}

TEST_F(Open, ByTheKernelListsManyNamesOnceEach) {
  constexpr std::size_t kFiles = 3'000;
  for (std::size_t i = 0; i < kFiles; ++i) volume_->add_file("name-" + std::to_string(i), "x");
  mount(OpenBy::kernel);
  for (int round = 0; round < 3; ++round) {
    std::set<std::string> seen;
    DIR* stream = ::opendir(dir_.path().c_str());
    ASSERT_NE(stream, nullptr);
    while (const dirent* entry = ::readdir(stream)) {
      EXPECT_TRUE(seen.insert(entry->d_name).second) << entry->d_name;
    }
    ::closedir(stream);
    EXPECT_EQ(seen.size(), kFiles + 3);
  }
}

TEST_F(Open, ByTheKernelAListingIsShownForItsTimeOnly) {
  volume_->set_listing_ttl(std::chrono::milliseconds(1'500));
  mount(OpenBy::kernel);
  const auto shows = [&](const std::string& name) {
    const auto items = std::filesystem::directory_iterator(dir_.path());
    return std::any_of(begin(items), end(items),
                       [&](const auto& item) { return item.path().filename() == name; });
  };
  EXPECT_FALSE(shows("new"));
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(shows("new"));
  EXPECT_EQ(volume_->listings(), 1u) << "the kernel asks once";
  volume_->add_file("new", "x");  // as an origin does, without a word
  await([&] { return shows("new"); });
  EXPECT_LE(volume_->listings(), 4u) << "the kernel asks at each look";
}

TEST_F(Open, ByTheKernelAListingWithoutTimeIsShownUntilAChangeIsTold) {
  mount(OpenBy::kernel);
  const auto count = [&] {
    const auto items = std::filesystem::directory_iterator(dir_.path());
    return std::distance(begin(items), end(items));
  };
  EXPECT_EQ(count(), 1);
  volume_->add_file("quiet", "x");
  EXPECT_EQ(count(), 1);
  volume_->replace_file("told", "x");
  await([&] { return count() == 3; });
}

TEST_F(Open, ByTheKernelErrorsComeWithTheRead) {
  volume_->fail_reads(Code::access_denied);
  mount(OpenBy::kernel);
  const int fd = open_it();
  char byte = 0;
  EXPECT_EQ(::pread(fd, &byte, 1, 0), -1);
  EXPECT_EQ(errno, EACCES);
  ::close(fd);
}

}  // namespace
}  // namespace lazyvol::fuse
