// Over a real kernel mount.
#include "fuse/session.h"

#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <fstream>
#include <set>
#include <thread>

#include "fuse/kernel_mount.h"
#include "fuse/session_fixture.h"

namespace lazyvol::fuse {
namespace {

using lazyvol::testing::TempDir;
using testing::SessionTest;

TEST_F(SessionTest, ShowsAsLazyvolAndReadOnly) {
  mount();
  const auto mount = mounted();
  ASSERT_TRUE(mount.has_value());
  EXPECT_EQ(mount->type, "fuse.lazyvol");
  EXPECT_EQ(mount->source, "memory:x");
  EXPECT_EQ(open(path("new").c_str(), O_CREAT | O_WRONLY, 0600), -1);
  EXPECT_EQ(errno, EROFS);
}

TEST_F(SessionTest, ReadsFilesOfManySizes) {
  for (const std::size_t size : {0u, 1u, 4096u, 131073u, 3'000'001u}) {
    volume_->add_file("f" + std::to_string(size), lazyvol::testing::noise(size, size));
  }
  mount();
  for (const std::size_t size : {0u, 1u, 4096u, 131073u, 3'000'001u}) {
    EXPECT_EQ(lazyvol::testing::read_file(path("f" + std::to_string(size))),
              lazyvol::testing::noise(size, size));
  }
}

TEST_F(SessionTest, MapsFiles) {
  const std::string bytes = lazyvol::testing::noise(1 << 20, 5);
  volume_->add_file("m", bytes);
  mount();
  const int fd = open(path("m").c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  void* map = mmap(nullptr, bytes.size(), PROT_READ, MAP_SHARED, fd, 0);
  ASSERT_NE(map, MAP_FAILED);
  EXPECT_EQ(std::string(static_cast<const char*>(map), bytes.size()), bytes);
  munmap(map, bytes.size());
  close(fd);
}

TEST_F(SessionTest, ListsManyNamesOnceEach) {
  constexpr int kFiles = 5000;
  for (int i = 0; i < kFiles; ++i) volume_->add_file("name-" + std::to_string(i), "x");
  mount();
  std::set<std::string> seen;
  DIR* stream = opendir(dir_.path().c_str());
  ASSERT_NE(stream, nullptr);
  while (const dirent* entry = readdir(stream)) {
    EXPECT_TRUE(seen.insert(entry->d_name).second) << entry->d_name;
    struct stat attributes {};
    EXPECT_EQ(fstatat(dirfd(stream), entry->d_name, &attributes, AT_SYMLINK_NOFOLLOW), 0);
  }
  closedir(stream);
  EXPECT_EQ(seen.size(), kFiles + 2u);
}

TEST_F(SessionTest, AbsentNamesAndSymlinks) {
  volume_->add_symlink("link", "some/where");
  mount();
  struct stat attributes {};
  EXPECT_EQ(stat(path("nothing").c_str(), &attributes), -1);
  EXPECT_EQ(errno, ENOENT);
  char target[64] = {};
  EXPECT_EQ(readlink(path("link").c_str(), target, sizeof target), 10);
  EXPECT_STREQ(target, "some/where");
}

TEST_F(SessionTest, EveryFailureHasItsErrno) {
  const std::pair<Code, int> cases[] = {{Code::stale, ESTALE},
                                        {Code::timed_out, EIO},
                                        {Code::access_denied, EACCES},
                                        {Code::corrupt, EIO}};
  volume_->add_file("f", std::string(4096, 'x'));
  mount();
  const int fd = open(path("f").c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  for (const auto& [code, errnum] : cases) {
    volume_->fail_reads(code);
    char byte = 0;
    EXPECT_EQ(pread(fd, &byte, 1, 0), -1);
    // The page cache turns any failure of readahead into a second, single read: its errno is ours.
    EXPECT_EQ(errno, errnum) << to_string(code);
  }
  close(fd);
}

TEST_F(SessionTest, AHeldReadLetsOthersPass) {
  volume_->add_file("slow", std::string(100, 's'));
  volume_->add_file("fast", std::string(100, 'f'));
  mount();
  volume_->hold_reads("slow");
  std::vector<std::thread> readers;
  for (int i = 0; i < 16; ++i) {  // more than there are workers
    readers.emplace_back([&] {
      const int fd = open(path("slow").c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC);
      char bytes[100];
      EXPECT_EQ(pread(fd, bytes, sizeof bytes, 0), 100);
      close(fd);
    });
  }
  volume_->wait_for_held(1);
  EXPECT_EQ(lazyvol::testing::read_file(path("fast")), std::string(100, 'f'));
  volume_->release_reads();
  for (auto& reader : readers) reader.join();
}

TEST_F(SessionTest, AKilledReaderCancelsItsRead) {
  volume_->add_file("slow", std::string(100, 's'));
  mount();
  volume_->hold_reads("slow");
  const std::string name = path("slow");
  const pid_t child = fork();
  if (child == 0) {
    // The kernel interrupts requests that a process itself waits for, which readahead is not: a
    // page fault without readahead is.
    const int fd = open(name.c_str(), O_RDONLY);
    auto* map = static_cast<volatile char*>(mmap(nullptr, 100, PROT_READ, MAP_SHARED, fd, 0));
    madvise(const_cast<char*>(map), 100, MADV_RANDOM);
    _exit(map[0]);
  }
  volume_->wait_for_held(1);
  kill(child, SIGKILL);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status));
  // Only the cancellation can bring the count of waiting calls to zero here.
  while (session_->stats().waiting > 0) std::this_thread::yield();
  EXPECT_GE(session_->stats().interrupted, 1u);
}

TEST_F(SessionTest, AReplacedFileIsAnotherNode) {
  volume_->add_file("f", "old");
  mount();
  const int held = open(path("f").c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_GE(held, 0);
  struct stat before {};
  ASSERT_EQ(fstat(held, &before), 0);
  volume_->replace_file("f", "new!");
  struct stat after {};
  do {  // the notification travels on a thread of its own
    ASSERT_EQ(stat(path("f").c_str(), &after), 0);
  } while (after.st_ino == before.st_ino);
  EXPECT_EQ(lazyvol::testing::read_file(path("f")), "new!");
  char bytes[8] = {};
  EXPECT_EQ(pread(held, bytes, sizeof bytes, 0), 3);
  EXPECT_STREQ(bytes, "old");
  close(held);
}

TEST_F(SessionTest, ExtendedAttributes) {
  volume_->add_file("f", "x");
  volume_->add_file("bare", "x");
  const std::string value("a\0b", 3);
  volume_->set_xattrs("f", {{"user.one", value}, {"user.two", ""}});
  mount();
  const std::string file = path("f");
  char room[64] = {};
  EXPECT_EQ(getxattr(file.c_str(), "user.one", nullptr, 0), 3);
  ASSERT_EQ(getxattr(file.c_str(), "user.one", room, sizeof room), 3);
  EXPECT_EQ(std::string(room, 3), value);
  EXPECT_EQ(getxattr(file.c_str(), "user.two", room, sizeof room), 0);
  EXPECT_EQ(getxattr(file.c_str(), "user.one", room, 2), -1);
  EXPECT_EQ(errno, ERANGE);
  EXPECT_EQ(getxattr(file.c_str(), "user.three", room, sizeof room), -1);
  EXPECT_EQ(errno, ENODATA);
  EXPECT_EQ(listxattr(file.c_str(), nullptr, 0), 18);
  ASSERT_EQ(listxattr(file.c_str(), room, sizeof room), 18);
  EXPECT_EQ(std::string(room, 18), std::string("user.one\0user.two\0", 18));
  EXPECT_EQ(listxattr(file.c_str(), room, 17), -1);
  EXPECT_EQ(errno, ERANGE);
  EXPECT_EQ(listxattr(path("bare").c_str(), room, sizeof room), 0);
}

TEST_F(SessionTest, AVolumeWithoutExtendedAttributesIsAskedOnce) {
  volume_->add_file("f", "x");
  mount();
  for (int i = 0; i < 5; ++i) {
    char room[64] = {};
    EXPECT_EQ(getxattr(path("f").c_str(), "user.one", room, sizeof room), -1);
    EXPECT_EQ(errno, EOPNOTSUPP);
  }
  EXPECT_EQ(volume_->xattr_questions(), 1U);
}

TEST_F(SessionTest, UnmountFromOutsideIsNoticed) {
  mount();
  ASSERT_TRUE(unmount_path(dir_.path(), false).ok());
  auto unmounted = unmounted_.lock();
  changed_.wait(unmounted.native(), [&] { return *unmounted; });
}

TEST_F(SessionTest, UnmountOfABusyMountIsRefusedUnlessLazy) {
  volume_->add_file("f", "x");
  mount();
  const int held = open(path("f").c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_GE(held, 0);
  const Status refused = session_->unmount(false);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::busy);
  EXPECT_EQ(lazyvol::testing::read_file(path("f")), "x");
  EXPECT_TRUE(session_->unmount(true).ok());
  close(held);
}

TEST_F(SessionTest, ALazyUnmountHidesNowAndServesWhoIsThere) {
  const std::string bytes(3 << 20, 'x');
  volume_->add_file("f", bytes);
  mount();
  std::ifstream file(path("f"), std::ios::binary);
  ASSERT_EQ(file.get(), 'x');
  EXPECT_TRUE(session_->visible());
  EXPECT_TRUE(session_->unmount(true).ok());
  EXPECT_FALSE(mounted().has_value());
  EXPECT_FALSE(session_->visible());
  const std::string rest(std::istreambuf_iterator<char>(file), {});
  EXPECT_EQ(rest.size(), bytes.size() - 1);
  file.close();
  auto unmounted = unmounted_.lock();
  EXPECT_TRUE(
      changed_.wait_for(unmounted.native(), std::chrono::seconds(60), [&] { return *unmounted; }));
}

TEST_F(SessionTest, BadMountpointsAreRefused) {
  SessionOptions missing = options();
  missing.mountpoint = dir_.path() / "missing";
  EXPECT_EQ(Session::mount(volume_, missing, nullptr).error().code, Code::not_found);
  SessionOptions file = options();
  file.mountpoint = "/proc/self/status";
  EXPECT_EQ(Session::mount(volume_, file, nullptr).error().code, Code::not_directory);
  const TempDir elsewhere;
  SessionOptions link = options();
  link.mountpoint = elsewhere.path() / "link";
  std::filesystem::create_directory_symlink(dir_.path(), link.mountpoint);
  EXPECT_EQ(Session::mount(volume_, link, nullptr).error().code, Code::invalid_argument);
  mount();
  EXPECT_EQ(Session::mount(volume_, options(), nullptr).error().code, Code::busy);
}

TEST_F(SessionTest, FileHandlesOutliveTheDentry) {
  volume_->add_file("f", "bytes");
  mount();
  alignas(file_handle) char space[sizeof(file_handle) + MAX_HANDLE_SZ] = {};
  auto* handle = reinterpret_cast<file_handle*>(space);
  handle->handle_bytes = MAX_HANDLE_SZ;
  int mount_id = 0;
  ASSERT_EQ(name_to_handle_at(AT_FDCWD, path("f").c_str(), handle, &mount_id, 0), 0);
  const int root = open(dir_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const int fd = open_by_handle_at(root, handle, O_RDONLY);
  ASSERT_GE(fd, 0) << errno;
  char bytes[8] = {};
  EXPECT_EQ(pread(fd, bytes, sizeof bytes, 0), 5);
  close(fd);
  close(root);
}

}  // namespace
}  // namespace lazyvol::fuse
