// What only a local directory can show: links that lead out, special files, races, a root that
// goes.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <future>

#include "source/calls.h"
#include "source/dir_root.h"
#include "source/pending.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace lazyvol::source {
namespace {

namespace fs = std::filesystem;
using lazyvol::testing::noise;
using lazyvol::testing::TempDir;
using lazyvol::testing::write_file;

class DirSourceTest : public ::testing::Test {
 protected:
  DirSourceTest() : root_(dir_.path() / "root") { fs::create_directory(root_); }
  Source& source() {
    if (!source_) source_ = rig_.open(root_);
    return *source_;
  }

  TempDir dir_;
  const fs::path root_;
  Rig rig_;
  std::shared_ptr<Source> source_;
};

TEST_F(DirSourceTest, NoLinkLeadsOut) {
  write_file(dir_.path() / "secret/file", "secret");
  fs::create_directory_symlink("../secret", root_ / "up");
  fs::create_directory_symlink(dir_.path() / "secret", root_ / "absolute");
  fs::create_directory_symlink("inside", root_ / "link");
  write_file(root_ / "inside/file", "ours");
  for (const std::string link : {"up", "absolute", "link"}) {
    EXPECT_EQ(code_of(list(source(), link)), Code::not_directory) << link;
    EXPECT_EQ(code_of(stat(source(), link + "/file")), Code::not_directory) << link;
    EXPECT_FALSE(read(source(), link + "/file", {}, 0, 1).status.ok()) << link;
    EXPECT_EQ(stat(source(), link)->type, NodeType::symlink);
  }
}

TEST_F(DirSourceTest, SpecialFilesAreLeftOut) {
  write_file(root_ / "file", "x");
  ASSERT_EQ(::mkfifo((root_ / "fifo").c_str(), 0644), 0);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  (root_ / "socket").string().copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ::close(fd);
  const auto listing = list(source(), "");
  ASSERT_TRUE(listing.ok());
  ASSERT_EQ(listing->entries.size(), 1U);
  EXPECT_EQ(listing->entries[0].name, "file");
  EXPECT_EQ(code_of(stat(source(), "fifo")), Code::not_found);
  EXPECT_EQ(code_of(read(source(), "fifo", {}, 0, 1).status), Code::not_found);
}

TEST_F(DirSourceTest, AttributesAreTheFilesOwn) {
  write_file(root_ / "file", "12345");
  ASSERT_EQ(::chmod((root_ / "file").c_str(), 04751), 0);
  const auto entry = stat(source(), "file");
  ASSERT_TRUE(entry.ok());
  EXPECT_EQ(entry->mode, 04751U);
  EXPECT_EQ(entry->uid, ::getuid());
  EXPECT_EQ(entry->gid, ::getgid());
  EXPECT_EQ(*find(*list(source(), ""), "file"), *entry);
}

TEST_F(DirSourceTest, AReplacementWithTheSameTimeAndSizeIsAnotherVersion) {
  write_file(root_ / "file", "one");
  const auto before = stat(source(), "file");
  ASSERT_TRUE(before.ok());
  struct stat old {};
  ASSERT_EQ(::stat((root_ / "file").c_str(), &old), 0);
  const timespec times[2] = {old.st_mtim, old.st_mtim};
  // The kernel's clock for ctime ticks every few milliseconds.
  EXPECT_TRUE(lazyvol::testing::await([&] {
    write_file(root_ / "new", "two");
    EXPECT_EQ(::utimensat(AT_FDCWD, (root_ / "new").c_str(), times, 0), 0);
    fs::rename(root_ / "new", root_ / "file");
    return stat(source(), "file")->validator != before->validator;
  }));
  EXPECT_EQ(stat(source(), "file")->mtime_ns, before->mtime_ns);
  EXPECT_EQ(code_of(read(source(), "file", before->validator, 0, 3).status), Code::stale);
}

TEST_F(DirSourceTest, AFileThatChangesWhileItIsReadGivesNoByteOfTheNewVersion) {
  const std::string one(4 << 20, '1'), two(4 << 20, '2');
  write_file(root_ / "file", one);
  auto sink = std::make_shared<CollectingSink>();
  sink->data_flow = [](std::size_t) { return Flow::pause; };
  const auto before = stat(source(), "file");
  ASSERT_TRUE(before.ok());
  const auto transfer = source().read({"file", {}, 0, 4 << 20}, sink, {});
  ASSERT_TRUE(sink->wait_for(1));
  EXPECT_TRUE(lazyvol::testing::await([&] {
    write_file(root_ / "file", two);
    return stat(source(), "file")->validator != before->validator;
  }));
  transfer->resume();
  const auto outcome = sink->wait();
  EXPECT_EQ(code_of(outcome.status), Code::stale);
  EXPECT_EQ(outcome.bytes.find('2'), std::string::npos);
}

TEST_F(DirSourceTest, ADeletedRootIsOutOfReachAndComesBack) {
  write_file(root_ / "file", "x");
  ASSERT_TRUE(list(source(), "").ok());
  fs::remove_all(root_);
  EXPECT_EQ(code_of(list(source(), "")), Code::unreachable);
  EXPECT_EQ(code_of(stat(source(), "file")), Code::unreachable);
  EXPECT_EQ(code_of(stat(source(), "")), Code::unreachable);
  EXPECT_EQ(code_of(read(source(), "file", {}, 0, 1).status), Code::unreachable);
  write_file(root_ / "other", "y");
  const auto listing = list(source(), "");
  ASSERT_TRUE(listing.ok()) << listing.error().message;
  EXPECT_NE(find(*listing, "other"), nullptr);
  EXPECT_EQ(code_of(stat(source(), "file")), Code::not_found);
}

TEST_F(DirSourceTest, WhatCannotBeReadIsDenied) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may read everything";
  write_file(root_ / "d/file", "x");
  ASSERT_EQ(::chmod((root_ / "d/file").c_str(), 0), 0);
  EXPECT_EQ(code_of(read(source(), "d/file", {}, 0, 1).status), Code::access_denied);
  ASSERT_EQ(::chmod((root_ / "d").c_str(), 0), 0);
  EXPECT_EQ(code_of(list(source(), "d")), Code::access_denied);
  EXPECT_EQ(code_of(stat(source(), "d/file")), Code::access_denied);
  ASSERT_EQ(::chmod((root_ / "d").c_str(), 0755), 0);
}

TEST_F(DirSourceTest, OpenSaysWhatIsWrong) {
  write_file(root_ / "file", "x");
  const auto make = [&](const std::string& path) {
    return make_source({"file", "", path}, {}, rig_.environment());
  };
  EXPECT_EQ(code_of(make(root_ / "no")), Code::not_found);
  EXPECT_EQ(code_of(make(root_ / "file")), Code::not_directory);
  EXPECT_THAT(make(root_ / "no").error().message, ::testing::HasSubstr((root_ / "no").string()));
  EXPECT_EQ(code_of(make_source({"gopher", "h", "/"}, {}, rig_.environment())),
            Code::invalid_argument);
}

// A thread that hangs in the kernel (a dead NFS server) is played by workers that are all taken.
TEST_F(DirSourceTest, ABlockedPoolEndsInTimeoutsAndStops) {
  write_file(root_ / "file", "x");
  (void)source();
  std::mutex mutex;
  std::unique_lock blocked(mutex);
  for (int i = 0; i < 4; ++i) {
    rig_.blocking().submit([&mutex] { const std::lock_guard wait(mutex); });
  }
  RequestContext ctx;
  ctx.no_progress = std::chrono::milliseconds(50);
  EXPECT_EQ(code_of(list(source(), "", ctx)), Code::timed_out);
  EXPECT_EQ(code_of(stat(source(), "file", ctx)), Code::timed_out);
  EXPECT_EQ(code_of(read(source(), "file", {}, 0, 1, ctx).status), Code::timed_out);
  std::stop_source stop;
  RequestContext patient;
  patient.stop = stop.get_token();
  auto sink = std::make_shared<CollectingSink>();
  const auto transfer = source().read({"file", {}, 0, 1}, sink, patient);
  stop.request_stop();
  EXPECT_EQ(code_of(sink->wait().status), Code::cancelled);
  blocked.unlock();
  EXPECT_EQ(read(source(), "file", {}, 0, 1).bytes, "x");
}

TEST_F(DirSourceTest, APausedReadHoldsNoThreadAndHasNoDeadline) {
  write_file(root_ / "file", noise(2 << 20, 1));
  RequestContext ctx;
  ctx.no_progress = std::chrono::seconds(2);
  std::vector<std::shared_ptr<CollectingSink>> sinks;
  std::vector<std::shared_ptr<Transfer>> transfers;
  for (int i = 0; i < 16; ++i) {  // four times the threads of the pool
    sinks.push_back(std::make_shared<CollectingSink>());
    sinks.back()->data_flow = [](std::size_t so_far) {
      return so_far < (2U << 20) ? Flow::pause : Flow::proceed;
    };
    transfers.push_back(source().read({"file", {}, 0, 2 << 20}, sinks.back(), ctx));
  }
  for (auto& sink : sinks) ASSERT_TRUE(sink->wait_for(1));
  // Each read looks once per deadline whether it is stuck. A call that starts now and is never
  // answered ends after all of them have looked.
  std::promise<void> looked;
  const auto never =
      Pending<int>::make(rig_.timer(), ctx, [&](Result<int>) { looked.set_value(); });
  looked.get_future().wait();
  for (auto& transfer : transfers) transfer->resume();
  for (auto& sink : sinks) {
    const auto outcome = sink->wait();
    EXPECT_TRUE(outcome.status.ok()) << outcome.status.error().message;
    EXPECT_EQ(outcome.bytes.size(), std::size_t{2} << 20);
  }
}

}  // namespace
}  // namespace lazyvol::source
