// What may go wrong while a tree is published: files that change, other publishers, full disks.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "publish/publish_fixture.h"
#include "publish/read_file.h"
#include "publish/revision.h"
#include "publish/state.h"
#include "publish/volume_reader.h"

namespace lazyvol::publish {
namespace {

namespace fs = std::filesystem;
using lazyvol::testing::noise;
using lazyvol::testing::read_file;
using lazyvol::testing::write_file;
using ::testing::HasSubstr;

// Does something to the file at each chunk, and keeps what is good.
class MeddlingSink final : public ContentSink {
 public:
  explicit MeddlingSink(std::function<bool(int)> meddle) : meddle_(std::move(meddle)) {}
  bool whole(Chunk chunk) override { return this->chunk(std::move(chunk)); }
  bool chunk(Chunk chunk) override {
    EXPECT_EQ(chunk.digest, catalog::sha256(chunk.bytes));
    bytes += chunk.bytes;
    return meddle_(chunks++);
  }
  bool hole(std::uint64_t length) override {
    bytes.append(length, '\0');
    return true;
  }
  bool restart() override {
    bytes.clear();
    ++restarts;
    return true;
  }
  std::string bytes;
  int chunks = 0, restarts = 0;

 private:
  std::function<bool(int)> meddle_;
};

class ReadFile : public ::testing::Test {
 protected:
  void SetUp() override {
    write_file(path_, noise(3'000'000, 1));
    root_ = Fd(::open(temp_.path().c_str(), O_RDONLY | O_DIRECTORY));
    struct stat status {};
    ASSERT_EQ(::stat(path_.c_str(), &status), 0);
    scanned_ = stamp_of(status);
  }
  // After the clock has moved on.
  void overwrite(std::size_t size, std::uint64_t seed) const {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    write_file(path_, noise(size, seed));
  }
  Result<FileFacts> read(ContentSink& sink) {
    return read_content(root_, "file", scanned_, {}, sink);
  }

  lazyvol::testing::TempDir temp_;
  const fs::path path_ = temp_.path() / "file";
  Fd root_;
  Stamp scanned_;
};

TEST_F(ReadFile, ThatChangesOnceIsReadAgain) {
  MeddlingSink sink([&](int chunk) {
    if (chunk == 2) overwrite(2'000'000, 2);
    return true;
  });
  const auto facts = read(sink);
  ASSERT_TRUE(facts.ok()) << facts.error().message;
  EXPECT_EQ(sink.restarts, 1);
  EXPECT_TRUE(sink.bytes == noise(2'000'000, 2));
  EXPECT_TRUE(facts->changed);
  EXPECT_EQ(facts->stamp.size, 2'000'000U);
  EXPECT_FALSE(facts->settled) << "it changed a moment ago";
}

TEST_F(ReadFile, ThatKeepsChangingIsAnErrorThatNamesIt) {
  std::uint64_t seed = 2;
  MeddlingSink sink([&](int chunk) {
    if (chunk % 4 == 2) overwrite(3'000'000, seed++);
    return true;
  });
  const auto facts = read(sink);
  ASSERT_FALSE(facts.ok());
  EXPECT_EQ(facts.error().code, Code::io_error);
  EXPECT_THAT(facts.error().message, HasSubstr("file kept changing"));
  EXPECT_EQ(sink.restarts, 3);
}

TEST_F(ReadFile, ThatShrinksOrGoesOrIsReplaced) {
  MeddlingSink shrink([&](int chunk) {
    if (chunk == 0) fs::resize_file(path_, 500'000);
    return true;
  });
  ASSERT_TRUE(read(shrink).ok());
  EXPECT_EQ(shrink.bytes.size(), 500'000U);
  fs::remove(path_);
  MeddlingSink none([](int) { return true; });
  EXPECT_EQ(read(none).error().code, Code::not_found);
  EXPECT_THAT(read(none).error().message, HasSubstr("file vanished"));
  fs::create_directory(path_);
  EXPECT_FALSE(read(none).ok());
  fs::remove(path_);
  fs::create_symlink("/etc/passwd", path_);
  EXPECT_FALSE(read(none).ok()) << "a link is not followed out of the tree";
  fs::remove(path_);
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  EXPECT_FALSE(read(none).ok()) << "and nothing waits for a fifo";
}

TEST_F(ReadFile, StopsWhenNobodyWants) {
  MeddlingSink sink([](int chunk) { return chunk < 1; });
  EXPECT_EQ(read(sink).error().code, Code::cancelled);
  EXPECT_EQ(sink.chunks, 2);
}

class Trouble : public PublishFixture {};

TEST_F(Trouble, TwoPublishersWithOneState) {
  auto held = State::open(options_.state_dir);
  ASSERT_TRUE(held.ok());
  const auto report = try_publish();
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().code, Code::busy);
  EXPECT_THAT(report.error().message, HasSubstr("state"));
}

TEST_F(Trouble, OfTwoPublishersWithOneHeadOneWins) {
  write_file(tree_ / "file", noise(100'000, 1));
  publish_and_check();
  const auto before = *read_head(*store_, "lazyvol-head");
  catalog::Head head = before->document.head;
  head.root.mode = 0711;
  const auto won = publish_head(*store_, before, head, nullptr);
  ASSERT_TRUE(won.ok()) << won.error().message;
  head.root.mode = 0722;
  const auto lost = publish_head(*store_, before, head, nullptr);
  ASSERT_FALSE(lost.ok());
  EXPECT_EQ(lost.error().code, Code::busy);
  EXPECT_EQ(head_of(*store_).root.mode, 0711U);
  EXPECT_EQ(read_file(volume_ / "revisions/2"), won->text) << "the loser did not touch it";
  EXPECT_FALSE(fs::exists(volume_ / "revisions/3"));
}

// Many at once, each from its own state, again and again while they lose: nobody's file is lost.
TEST_F(Trouble, ManyPublishersOfOneVolume) {
  constexpr int kThreads = 3, kRounds = 4;
  std::atomic<int> refused = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      PublishOptions options;
      options.tree = temp_.path() / ("tree " + std::to_string(i));
      options.state_dir = temp_.path() / ("state " + std::to_string(i));
      options.threads = 2;
      auto store = make_dir_store(volume_);
      for (int round = 0; round < kRounds;) {
        write_file(options.tree / std::to_string(round), noise(50'000, round * 10 + i));
        const auto report = publish_within(limits_, **store, options, nullptr, {});
        if (report.ok()) {
          ++round;
        } else {
          ASSERT_EQ(report.error().code, Code::busy) << report.error().message;
          ++refused;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::uint64_t last = head_of(*store_).sequence;
  EXPECT_GE(last, static_cast<std::uint64_t>(kThreads * kRounds)) << refused << " were refused";
  expect_as_rebuilt(*store_);
  expect_sound_packs(*store_);
  // Each revision's parent is one that was kept.
  std::uint64_t revisions = 0;
  for (auto head = *read_head(*store_, "lazyvol-head"); head; ++revisions) {
    if (head->document.head.parent == catalog::Digest()) break;
    std::optional<StoredHead> parent;
    for (std::uint64_t n = head->document.head.sequence; n-- > 1 && !parent;) {
      auto one = *read_head(*store_, revision_path(n));
      if (one && one->document.digest == head->document.head.parent) parent = std::move(one);
    }
    ASSERT_TRUE(parent.has_value()) << head->document.head.sequence;
    head = std::move(parent);
  }
  EXPECT_EQ(revisions + 1, static_cast<std::uint64_t>(kThreads * kRounds));
}

TEST_F(Trouble, CancelledAtAnyTime) {
  for (int i = 0; i < 60; ++i) write_file(tree_ / std::to_string(i), noise(400'000, i));
  limits_.pack_target = 1 << 20;
  for (int when = 0; when < 12; ++when) {
    std::stop_source stop;
    int calls = 0;
    const auto progress = [&](const PublishProgress&) {
      if (calls++ == when) stop.request_stop();
    };
    if (when == 0) stop.request_stop();
    const auto report = publish_within(limits_, *store_, options_, progress, stop.get_token());
    if (report.ok()) break;
    EXPECT_EQ(report.error().code, Code::cancelled) << report.error().message;
    EXPECT_FALSE(fs::exists(volume_ / "lazyvol-head"));
  }
  publish_and_check();
}

TEST_F(Trouble, ProgressEndsWhereTheReportDoes) {
  for (int i = 0; i < 20; ++i) write_file(tree_ / std::to_string(i), noise(100'000, i));
  PublishProgress last;
  std::thread::id caller;
  const auto progress = [&](const PublishProgress& now) {
    EXPECT_EQ(std::this_thread::get_id(), caller);
    EXPECT_GE(now.phase, last.phase);
    EXPECT_GE(now.bytes_done, last.bytes_done);
    last = now;
  };
  caller = std::this_thread::get_id();
  settle();
  for (int round = 0; round < 2; ++round) {
    last = {};
    const auto report = publish_within(limits_, *store_, options_, progress, {});
    ASSERT_TRUE(report.ok()) << report.error().message;
    EXPECT_EQ(last.phase, PublishProgress::Phase::finishing);
    EXPECT_EQ(last.files_found, 20U);
    EXPECT_EQ(last.bytes_found, 2'000'000U);
    EXPECT_EQ(last.files_done, 20U);
    EXPECT_EQ(last.bytes_done, 2'000'000U);
    EXPECT_EQ(last.bytes_read, round == 0 ? 2'000'000U : 0U);
    EXPECT_EQ(report->bytes_read, last.bytes_read);
  }
}

TEST_F(Trouble, AFullDiskLeavesTheOldHead) {
  const fs::path disk = temp_.path() / "disk";
  fs::create_directories(disk);
  if (::system(("mount -t tmpfs -o size=4m none " + disk.string() + " 2>/dev/null").c_str()) != 0) {
    GTEST_SKIP() << "needs the right to mount";
  }
  volume_ = disk / "volume";
  reopen_store();
  write_file(tree_ / "a", noise(1'000'000, 1));
  publish_and_check();
  const std::string head = read_file(volume_ / "lazyvol-head");
  limits_.pack_target = 1 << 20;
  for (int i = 0; i < 30; ++i)
    write_file(tree_ / ("b" + std::to_string(i)), noise(300'000, 10 + i));
  const auto report = try_publish();
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().code, Code::no_space) << report.error().message;
  EXPECT_EQ(read_file(volume_ / "lazyvol-head"), head);
  for (int i = 0; i < 30; ++i) fs::remove(tree_ / ("b" + std::to_string(i)));
  publish_and_check();
  store_.reset();
  EXPECT_EQ(::system(("umount " + disk.string()).c_str()), 0);
}

TEST_F(Trouble, AFileThatCannotBeReadIsNamed) {
  if (::geteuid() != 0) {
    write_file(tree_ / "sub/secret", "x");
    ASSERT_EQ(::chmod((tree_ / "sub/secret").c_str(), 0), 0);
    const auto report = try_publish();
    ASSERT_FALSE(report.ok());
    EXPECT_EQ(report.error().code, Code::access_denied);
    EXPECT_THAT(report.error().message, HasSubstr("sub/secret"));
    return;
  }
  GTEST_SKIP() << "root can read all";
}

TEST_F(Trouble, ADamagedVolumeIsSaidSo) {
  for (int i = 0; i < 3'000; ++i) write_file(tree_ / std::to_string(i), std::to_string(i));
  publish_and_check();
  const auto packs = store_->list("packs/");
  for (const auto& one : *packs) ASSERT_TRUE(store_->remove(one.path).ok());
  const auto report = try_publish();
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().code, Code::not_found) << report.error().message;
  write_file(volume_ / "lazyvol-head", "no head");
  EXPECT_EQ(try_publish().error().code, Code::corrupt);
}

}  // namespace
}  // namespace lazyvol::publish
