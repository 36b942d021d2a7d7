// What a tree may be made of, and that a volume shows all of it.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstring>

#include "publish/publish_fixture.h"

namespace lazyvol::publish {
namespace {

namespace fs = std::filesystem;
using lazyvol::testing::noise;
using lazyvol::testing::write_file;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Faithful : public PublishFixture {
 protected:
  void set_xattr(const std::string& path, const std::string& name, const std::string& value) {
    ASSERT_EQ(::lsetxattr((tree_ / path).c_str(), name.c_str(), value.data(), value.size(), 0), 0)
        << std::strerror(errno) << ": the temporary directory must be able to hold " << name;
  }
  void write_sparse(const std::string& path, off_t size,
                    const std::vector<std::pair<off_t, std::string>>& parts) {
    const int fd = ::open((tree_ / path).c_str(), O_CREAT | O_WRONLY, 0644);
    ASSERT_GE(fd, 0);
    ASSERT_EQ(::ftruncate(fd, size), 0);
    for (const auto& [at, bytes] : parts) {
      ASSERT_EQ(::pwrite(fd, bytes.data(), bytes.size(), at), static_cast<ssize_t>(bytes.size()));
    }
    ::close(fd);
  }
};

TEST_F(Faithful, ModesOwnersAndTimes) {
  for (const mode_t mode : {0U, 0400U, 0644U, 0755U, 04755U, 02711U, 01777U, 07777U}) {
    const fs::path path = tree_ / ("file-" + std::to_string(mode));
    write_file(path, "x");
    const fs::path directory = tree_ / ("dir-" + std::to_string(mode));
    fs::create_directory(directory);
    if (::geteuid() == 0) {
      ASSERT_EQ(::lchown(path.c_str(), 1000 + mode, 4'000'000'000U), 0);
      ASSERT_EQ(::lchown(directory.c_str(), 7, 8), 0);
    }
    ASSERT_EQ(::chmod(path.c_str(), mode), 0);
    ASSERT_EQ(::chmod(directory.c_str(), mode), 0);
    const timespec times[2] = {{1, 1}, {static_cast<time_t>(mode) * 1'000'000, 123'456'789}};
    ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
  }
  write_file(tree_ / "before 1970", "x");
  const timespec old[2] = {{-86'400, 5}, {-86'400, 5}};
  ASSERT_EQ(::utimensat(AT_FDCWD, (tree_ / "before 1970").c_str(), old, 0), 0);
  if (::geteuid() == 0) {
    ASSERT_EQ(::lchown(tree_.c_str(), 3, 4), 0);
  }
  ASSERT_EQ(::chmod(tree_.c_str(), 02751), 0);
  publish_and_check();
}

TEST_F(Faithful, ExtendedAttributes) {
  write_file(tree_ / "tool", "#!/bin/sh\n");
  fs::create_directory(tree_ / "dir");
  set_xattr("tool", "user.b", "two");
  set_xattr("tool", "user.a", std::string("o\0e", 3));
  set_xattr("tool", "user.empty", "");
  set_xattr("dir", "user.of directory", noise(1'000, 1));
  if (::geteuid() == 0) {
    // cap_net_raw+ep, revision 2.
    const unsigned char capability[] = {1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0,
                                        0, 0, 0, 0, 0, 0,    0, 0, 0, 0};
    set_xattr("tool", "security.capability",
              std::string(reinterpret_cast<const char*>(capability), sizeof capability));
    set_xattr("tool", "trusted.secret", "not for everybody");
  }
  publish_and_check();
  EXPECT_EQ(entry("tool").xattrs.size(), ::geteuid() == 0 ? 4U : 3U);
  EXPECT_EQ(entry("dir").xattrs.size(), 1U);
}

TEST_F(Faithful, NamesAreBytes) {
  for (const std::string& name :
       {std::string(255, 'n'), std::string("\xff\xfe latin\xe9"), std::string("new\nline"),
        std::string(" "), std::string("..."), std::string("-rf"), std::string("\x01"),
        std::string("a"), std::string("a\xc3\xa4"), std::string("B")}) {
    write_file(tree_ / name, name);
    write_file(tree_ / "dir" / name / name, name);
  }
  publish_and_check();
}

TEST_F(Faithful, DeepPaths) {
  // Deeper than any path that a system call takes at once.
  fs::path at = tree_;
  const std::string name(200, 'd');
  int fd = ::open(tree_.c_str(), O_RDONLY | O_DIRECTORY);
  for (int depth = 0; depth < 60; ++depth) {
    ASSERT_EQ(::mkdirat(fd, name.c_str(), 0755), 0);
    const int below = ::openat(fd, name.c_str(), O_RDONLY | O_DIRECTORY);
    ASSERT_GE(below, 0);
    ::close(std::exchange(fd, below));
  }
  const int file = ::openat(fd, "bottom", O_CREAT | O_WRONLY, 0644);
  ASSERT_EQ(::write(file, "deep", 4), 4);
  ::close(file);
  ::close(fd);
  auto report = try_publish();
  ASSERT_TRUE(report.ok()) << report.error().message;
  EXPECT_EQ(report->directories, 60U);
  EXPECT_EQ(report->files, 1U);
  expect_as_rebuilt(*store_);
  for (const auto& [path, one] : entries_of(*store_)) {
    if (one.name != "bottom") continue;
    EXPECT_EQ(path.size(), 60U * 201 + 6);
    EXPECT_EQ(std::get<catalog::InlineContent>(one.content).bytes, "deep");
  }
}

TEST_F(Faithful, SizesAroundEveryLimit) {
  std::uint64_t seed = 1;
  for (const std::size_t size :
       {0U, 1U, 95U, 96U, 97U, 4'096U, 65'535U, 65'536U, 131'071U, 131'072U, 131'073U, 262'143U,
        262'144U, 262'145U, 1'048'576U, 1'500'000U, 12'000'000U}) {
    write_file(tree_ / ("noise-" + std::to_string(size)), noise(size, seed++));
    write_file(tree_ / ("text-" + std::to_string(size)), std::string(size, 't'));
  }
  publish_and_check();
  expect_sound_packs(*store_);
  EXPECT_TRUE(std::holds_alternative<catalog::InlineContent>(entry("noise-96").content));
  EXPECT_TRUE(std::holds_alternative<catalog::PieceContent>(entry("noise-97").content));
  EXPECT_TRUE(std::holds_alternative<catalog::PieceContent>(entry("noise-1500000").content));
  EXPECT_TRUE(std::holds_alternative<catalog::MapContent>(entry("noise-12000000").content));
  for (const Chunks chunks : {Chunks::fine, Chunks::fixed}) {
    options_.chunks = chunks;
    fs::remove(tree_ / "noise-12000000");
    write_file(tree_ / "noise-1500000", noise(1'500'000, seed++));
    publish_and_check();
  }
  const auto fixed = std::get<catalog::PieceContent>(entry("noise-1500000").content);
  ASSERT_EQ(fixed.pieces.size(), 23U);
  EXPECT_EQ(fixed.pieces[0].length, kFixedChunk);
  EXPECT_NE(fixed.pieces[0].frame.hash, fixed.pieces[1].frame.hash) << "each has a frame alone";
}

TEST_F(Faithful, SparseFiles) {
  constexpr off_t kGiB = 1LL << 30;
  write_sparse(
      "huge", 5 * kGiB + 17,
      {{0, noise(100'000, 1)}, {2 * kGiB + 5, noise(3'000'000, 2)}, {5 * kGiB + 10, "end"}});
  write_sparse("only a hole", 6 * kGiB, {});
  write_sparse("small hole", 40'000, {{39'000, "x"}});
  write_sparse("hole at the end", 900'000, {{0, noise(70'000, 3)}});
  write_sparse("hole in a small one", 200'000, {{190'000, noise(1'000, 4)}});
  const PublishReport report = publish_and_check();
  EXPECT_LT(report.bytes_read, 5'000'000U) << "holes are not read";
  EXPECT_TRUE(std::holds_alternative<catalog::MapContent>(entry("huge").content));
  EXPECT_TRUE(std::holds_alternative<catalog::MapContent>(entry("only a hole").content));
  EXPECT_TRUE(std::holds_alternative<catalog::PieceContent>(entry("small hole").content));
}

TEST_F(Faithful, AFileMapOfMaps) {
  // More than 1024 pieces: every second 64 KiB is a hole.
  std::vector<std::pair<off_t, std::string>> parts;
  for (off_t i = 0; i < 1'500; ++i) parts.push_back({i * 2 * 65'536, std::to_string(i)});
  write_sparse("comb", 1'500 * 2 * 65'536, parts);
  write_sparse("comb 2", 600 * 2 * 65'536 + 5, {parts.begin(), parts.begin() + 600});
  publish_and_check();
}

TEST_F(Faithful, HardLinks) {
  fs::create_directories(tree_ / "a/b");
  fs::create_directories(tree_ / "z");
  write_file(tree_ / "z/file", noise(50'000, 1));
  fs::create_hard_link(tree_ / "z/file", tree_ / "a/b/same");
  fs::create_hard_link(tree_ / "z/file", tree_ / "top");
  write_file(tree_ / "a/tiny", "t");
  fs::create_hard_link(tree_ / "a/tiny", tree_ / "a/tiny 2");
  fs::create_symlink("file", tree_ / "z/link");
  ASSERT_EQ(
      ::linkat(AT_FDCWD, (tree_ / "z/link").c_str(), AT_FDCWD, (tree_ / "z/link 2").c_str(), 0), 0);
  write_file(temp_.path() / "outside", "o");
  fs::create_hard_link(temp_.path() / "outside", tree_ / "inside");
  const PublishReport report = publish_and_check();
  EXPECT_EQ(report.files, 3U) << "counted once";
  EXPECT_EQ(report.entries, 11U);
  EXPECT_FALSE(entry("top").alias);
  EXPECT_TRUE(entry("z/file").alias);
  EXPECT_EQ(entry("inside").nlink, 1U) << "the other name is outside";
}

TEST_F(Faithful, SocketsFifosAndDevicesAreLeftOutAndSaid) {
  write_file(tree_ / "dir/file", "x");
  ASSERT_EQ(::mkfifo((tree_ / "dir/fifo").c_str(), 0600), 0);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = (tree_ / "s").string();
  ASSERT_LT(path.size(), sizeof address.sun_path);
  std::memcpy(address.sun_path, path.c_str(), path.size());
  ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  std::vector<std::string> expected = {"dir/fifo: a fifo", "s: a socket"};
  if (::geteuid() == 0 &&
      ::mknod((tree_ / "dir/null").c_str(), S_IFCHR | 0666, makedev(1, 3)) == 0) {
    expected.insert(expected.begin() + 1, "dir/null: a device");
  }
  const PublishReport report = publish_and_check();
  EXPECT_EQ(report.left_out, expected);
  EXPECT_EQ(report.left_out_total, expected.size());
  EXPECT_EQ(report.entries, 2U);
  ::close(fd);
}

TEST_F(Faithful, OtherFileSystemsAreShownEmptyIfAsked) {
  fs::create_directories(tree_ / "mnt");
  write_file(tree_ / "file", "x");
  if (::system(("mount -t tmpfs none " + (tree_ / "mnt").string() + " 2>/dev/null").c_str()) != 0) {
    GTEST_SKIP() << "needs the right to mount";
  }
  write_file(tree_ / "mnt/inside", "y");
  publish_and_check();
  EXPECT_EQ(entries_of(*store_).count("mnt/inside"), 1U);
  options_.one_file_system = true;
  EXPECT_TRUE(try_publish().ok());
  EXPECT_EQ(entries_of(*store_).count("mnt"), 1U);
  EXPECT_EQ(entries_of(*store_).count("mnt/inside"), 0U);
  EXPECT_EQ(::system(("umount " + (tree_ / "mnt").string()).c_str()), 0);
}

TEST_F(Faithful, TheVolumeCannotLieInTheTree) {
  volume_ = tree_ / "deep/volume";
  write_file(tree_ / "file", "x");
  reopen_store();
  const auto report = try_publish();
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().code, Code::invalid_argument);
  EXPECT_THAT(report.error().message, HasSubstr("deep/volume"));
  options_.tree = volume_;
  EXPECT_EQ(try_publish().error().code, Code::invalid_argument);
  // What the publisher remembers may; it is left out.
  volume_ = temp_.path() / "volume";
  reopen_store();
  fs::remove_all(tree_ / "deep");
  options_.tree = tree_;
  options_.state_dir = tree_ / "state";
  const auto without = try_publish();
  ASSERT_TRUE(without.ok()) << without.error().message;
  EXPECT_THAT(without->left_out, ElementsAre(HasSubstr("state")));
  EXPECT_EQ(without->entries, 1U);
}

TEST_F(Faithful, ErrorsNameThePath) {
  options_.tree = temp_.path() / "none";
  EXPECT_EQ(try_publish().error().code, Code::not_found);
  write_file(temp_.path() / "none", "a file");
  EXPECT_EQ(try_publish().error().code, Code::not_directory);
  EXPECT_THAT(try_publish().error().message, HasSubstr("none"));
  options_.tree = tree_;
  write_file(tree_ / "sub/heavy", "x");
  set_xattr("sub/heavy", "user.big", std::string(3'000, 'x'));
  for (int i = 0; i < 300; ++i) {
    // ext4 holds a block of them; where more fit, that is too much for a volume.
    const std::string name = "user.a" + std::to_string(i), value(60, 'y');
    if (::lsetxattr((tree_ / "sub/heavy").c_str(), name.c_str(), value.data(), value.size(), 0) !=
        0)
      break;
  }
  const auto report = try_publish();
  if (!report.ok()) {
    EXPECT_EQ(report.error().code, Code::too_large);
    EXPECT_THAT(report.error().message, HasSubstr("sub/heavy"));
  } else {
    expect_shows(*store_, tree_);
  }
  options_.level = 99;
  EXPECT_EQ(try_publish().error().code, Code::invalid_argument);
}

TEST_F(Faithful, ADirectoryOf100000Names) {
  fs::create_directory(tree_ / "many");
  const int fd = ::open((tree_ / "many").c_str(), O_RDONLY | O_DIRECTORY);
  for (int i = 0; i < 100'000; ++i) {
    const int file = ::openat(fd, ("n" + std::to_string(i)).c_str(), O_CREAT | O_WRONLY, 0644);
    ASSERT_GE(file, 0);
    if (i % 10 == 0) {
      ASSERT_EQ(::write(file, "tiny", 4), 4);
    }
    ::close(file);
  }
  ::close(fd);
  auto report = try_publish();
  ASSERT_TRUE(report.ok()) << report.error().message;
  EXPECT_EQ(report->entries, 100'001U);
  EXPECT_EQ(report->bytes, 40'000U);
  EXPECT_LT(report->metadata_bytes, 20U * 100'000);
  expect_as_rebuilt(*store_);
  settle();
  write_file(tree_ / "many/n777", "other");
  report = try_publish();
  ASSERT_TRUE(report.ok()) << report.error().message;
  EXPECT_EQ(report->entries_changed, 1U);
  EXPECT_LT(report->files_read, 20'000U);
  EXPECT_LT(report->metadata_bytes, 100'000U);
  expect_shows(*store_, tree_);
  expect_as_rebuilt(*store_);
}

}  // namespace
}  // namespace lazyvol::publish
