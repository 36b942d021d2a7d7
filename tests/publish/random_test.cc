// Random trees and edits: after each publish the volume is the tree, and its catalog is what a
// rebuild of its entries makes.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <random>

#include "publish/publish_fixture.h"

namespace lazyvol::publish {
namespace {

namespace fs = std::filesystem;
using lazyvol::testing::noise;
using lazyvol::testing::write_file;

class RandomEdits {
 public:
  RandomEdits(fs::path tree, std::uint64_t seed) : tree_(std::move(tree)), random_(seed) {}

  void edit() {
    const auto names = all();
    if (names.empty()) return write_file(fresh(), content());
    const fs::path some = names[below(names.size())];
    const bool is_file = fs::symlink_status(some).type() == fs::file_type::regular;
    switch (below(14)) {
      case 0:
        fs::create_directories(fresh());
        break;
      case 1:
        fs::create_symlink("target " + std::to_string(below(5)), fresh());
        break;
      case 2:
        fs::remove_all(some);
        break;
      case 3:
        rename(some, fresh());
        break;
      case 4:
        if (is_file) fs::create_hard_link(some, fresh());
        break;
      case 5:
        if (!fs::is_symlink(some)) {
          ::chmod(some.c_str(), static_cast<mode_t>(0600 + below(0200)));
        }
        break;
      case 6:
        if (is_file) append(some);
        break;
      case 7:
        if (is_file) write_file(some, content());
        break;
      case 8:
        if (is_file) ::setxattr(some.c_str(), "user.x", "value", below(6), 0);
        break;
      case 9:
        if (is_file) fs::copy_file(some, fresh());
        break;
      case 10:
        swap(some, names[below(names.size())]);
        break;
      default:
        write_file(fresh(), content());
    }
  }
  std::uint64_t below(std::uint64_t limit) { return random_() % limit; }

 private:
  std::vector<fs::path> all() const {
    std::vector<fs::path> result;
    for (const auto& one : fs::recursive_directory_iterator(tree_)) result.push_back(one.path());
    std::sort(result.begin(), result.end());
    return result;
  }
  // A name that is not taken, in some directory.
  fs::path fresh() {
    std::vector<fs::path> directories{tree_};
    for (const auto& one : fs::recursive_directory_iterator(tree_)) {
      if (one.is_directory() && !one.is_symlink()) directories.push_back(one.path());
    }
    std::sort(directories.begin(), directories.end());
    for (;;) {
      fs::path path = directories[below(directories.size())] / ("n" + std::to_string(below(60)));
      if (fs::symlink_status(path).type() == fs::file_type::not_found) return path;
    }
  }
  // Few different ones, so that they meet again; of all kinds.
  std::string content() {
    switch (below(6)) {
      case 0:
        return "";
      case 1:
        return noise(1 + below(90), below(4));
      case 2:
        return noise(300'000 + below(2) * 3'000'000, below(3));
      case 3: {
        std::string bytes = noise(1'500'000, below(2));
        bytes.insert(below(bytes.size()), "edit");
        return bytes;
      }
      default:
        return noise(100 + below(40) * 1'000, below(5));
    }
  }
  void append(const fs::path& path) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_APPEND);
    const off_t size = ::lseek(fd, 0, SEEK_END);
    if (below(3) == 0 && size < 10'000'000) {
      EXPECT_EQ(::ftruncate(fd, size + static_cast<off_t>(below(200'000))), 0);
    }
    EXPECT_EQ(::write(fd, "more", 4), 4);
    ::close(fd);
  }
  static void rename(const fs::path& from, const fs::path& to) {
    if (to.string().starts_with(from.string() + "/")) return;
    fs::rename(from, to);
  }
  void swap(const fs::path& a, const fs::path& b) {
    if (a == b || a.string().starts_with(b.string() + "/") ||
        b.string().starts_with(a.string() + "/")) {
      return;
    }
    fs::rename(a, tree_ / "swap");
    fs::rename(b, a);
    fs::rename(tree_ / "swap", b);
  }

  const fs::path tree_;
  std::mt19937_64 random_;
};

class Random : public PublishFixture, public ::testing::WithParamInterface<int> {};

TEST_P(Random, EditsShowAsTheyAre) {
  RandomEdits edits(tree_, static_cast<std::uint64_t>(GetParam()));
  limits_.pack_target = 1 << 20;
  limits_.ahead_bytes = 1 << 20;
  limits_.file_ahead_bytes = 1 << 18;
  limits_.compressing_bytes = 1 << 20;
  std::uint64_t last = 0;
  for (int round = 0; round < 8; ++round) {
    for (std::uint64_t n = 1 + edits.below(round == 0 ? 200 : 25); n > 0; --n) edits.edit();
    // Sometimes too early to be trusted; sometimes more edits than are held in memory.
    if (edits.below(2) == 0) settle();
    limits_.edits = edits.below(3) == 0 ? 3 : 100'000;
    options_.threads = static_cast<unsigned>(1 + edits.below(4));
    if (edits.below(10) == 0) fs::remove_all(options_.state_dir);
    const PublishReport report = publish_and_check();
    if (HasFailure()) FAIL() << "seed " << GetParam() << ", round " << round;
    EXPECT_EQ(report.sequence, last + (report.changed ? 1 : 0));
    last = report.sequence;
    const PublishReport again = publish_and_check();
    EXPECT_FALSE(again.changed) << "seed " << GetParam() << ", round " << round;
  }
  expect_sound_packs(*store_);
}

INSTANTIATE_TEST_SUITE_P(Seeds, Random, ::testing::Range(1, 9));

// The same tree makes the same packs, however many threads there are.
TEST_F(PublishFixture, ThreadsDoNotChangeWhatIsStored) {
  RandomEdits edits(tree_, 99);
  for (int n = 0; n < 400; ++n) edits.edit();
  limits_.pack_target = 1 << 20;
  std::vector<std::string> expected;
  for (const unsigned threads : {1U, 2U, 7U}) {
    volume_ = temp_.path() / ("volume-" + std::to_string(threads));
    options_.state_dir = temp_.path() / ("state-" + std::to_string(threads));
    options_.threads = threads;
    reopen_store();
    publish_and_check();
    std::vector<std::string> packs;
    const auto objects = store_->list("packs/");
    for (const auto& one : *objects) packs.push_back(one.path);
    EXPECT_GT(packs.size(), 5U);
    if (threads == 1) expected = packs;
    EXPECT_EQ(packs, expected) << threads << " threads";
  }
}

}  // namespace
}  // namespace lazyvol::publish
