// The second revision and those after it: what is read, what is stored, which ids live on.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <set>

#include "catalog/signing_key.h"
#include "publish/publish_fixture.h"
#include "publish/volume_reader.h"

namespace lazyvol::publish {
namespace {

namespace fs = std::filesystem;
using lazyvol::testing::noise;
using lazyvol::testing::read_file;
using lazyvol::testing::write_file;

class Increment : public PublishFixture {
 protected:
  void SetUp() override {
    PublishFixture::SetUp();
    write_file(tree_ / "a/one", noise(30'000, 1));
    write_file(tree_ / "a/two", noise(40'000, 2));
    write_file(tree_ / "a/deep/three", noise(50'000, 3));
    write_file(tree_ / "long", noise(5'000'000, 4));
    write_file(tree_ / "tiny", "tiny");
    fs::create_symlink("a/one", tree_ / "link");
    settle();
    publish_and_check();
    first_ = entries_of(*store_);
  }
  // Without anything to be stored: only what was moved or said anew.
  PublishReport publish_without_data() {
    const PublishReport report = publish_and_check();
    EXPECT_TRUE(report.changed);
    EXPECT_EQ(report.data_bytes, 0U);
    return report;
  }
  NodeId first_id(const std::string& path) { return first_.at(path).id; }
  std::map<std::string, catalog::Entry> first_;
};

TEST_F(Increment, NothingChanged) {
  const auto before = stored();
  for (int i = 0; i < 2; ++i) {
    const PublishReport report = publish_and_check();
    EXPECT_FALSE(report.changed);
    EXPECT_EQ(report.sequence, 1U);
    EXPECT_EQ(report.files_read, 0U);
    EXPECT_EQ(report.files_unchanged, 5U);
    EXPECT_EQ(report.objects_written, 0U);
    EXPECT_EQ(report.entries_changed, 0U);
  }
  EXPECT_EQ(stored(), before);
}

TEST_F(Increment, OtherAttributesKeepTheId) {
  ASSERT_EQ(::chmod((tree_ / "a/one").c_str(), 0600), 0);
  settle();
  const PublishReport report = publish_without_data();
  EXPECT_EQ(report.sequence, 2U);
  EXPECT_EQ(report.entries_changed, 1U);
  EXPECT_EQ(report.files_read, 1U) << "its ctime moved";
  EXPECT_EQ(entry("a/one").id, first_id("a/one"));
  EXPECT_TRUE(entry("a/one").content == first_.at("a/one").content);
}

TEST_F(Increment, OtherBytesAreAnotherNode) {
  write_file(tree_ / "a/one", noise(30'000, 9));
  settle();
  const PublishReport report = publish_and_check();
  EXPECT_EQ(report.files_read, 1U);
  EXPECT_EQ(report.files_unchanged, 4U);
  EXPECT_EQ(report.entries_changed, 1U);
  EXPECT_GT(report.data_bytes, 30'000U);
  EXPECT_LT(report.data_bytes, 31'000U);
  EXPECT_EQ(entry("a/one").id, 10U) << "the next one";
  EXPECT_EQ(entry("a").id, first_id("a"));
  EXPECT_EQ(head_of(*store_).next_id, 11U);
  // And back again: the bytes are there, but the node is a third one.
  write_file(tree_ / "a/one", noise(30'000, 1));
  settle();
  publish_without_data();
  EXPECT_EQ(entry("a/one").id, 11U);
}

TEST_F(Increment, TheSameBytesWrittenAgainAreTheSameNode) {
  for (const char* path : {"a/one", "long", "tiny"}) {
    const std::string bytes = read_file(tree_ / path);
    fs::remove(tree_ / path);
    write_file(tree_ / path, bytes);
  }
  settle();
  const PublishReport report = publish_without_data();
  EXPECT_EQ(report.files_read, 3U);
  for (const char* path : {"a/one", "long", "tiny"}) {
    EXPECT_EQ(entry(path).id, first_id(path)) << path;
    EXPECT_TRUE(entry(path).content == first_.at(path).content) << path;
  }
}

TEST_F(Increment, AFewBytesOfALongFileCostAFewChunks) {
  std::string bytes = read_file(tree_ / "long");
  bytes.insert(2'000'000, "inserted");
  write_file(tree_ / "long", bytes);
  settle();
  const PublishReport report = publish_and_check();
  EXPECT_GT(report.bytes_known, 2'500'000U);
  EXPECT_LT(report.data_bytes, 2'500'000U);
  EXPECT_NE(entry("long").id, first_id("long"));
}

TEST_F(Increment, LinksAndTheirTargets) {
  fs::remove(tree_ / "link");
  fs::create_symlink("a/two", tree_ / "link");
  publish_without_data();
  EXPECT_NE(entry("link").id, first_id("link"));
  const NodeId now = entry("link").id;
  fs::remove(tree_ / "link");
  fs::create_symlink("a/two", tree_ / "link");
  publish_without_data();
  EXPECT_EQ(entry("link").id, now);
}

TEST_F(Increment, ARenamedDirectoryIsOneChange) {
  fs::rename(tree_ / "a", tree_ / "z");
  const PublishReport report = publish_without_data();
  EXPECT_EQ(report.files_read, 0U);
  EXPECT_EQ(report.entries_changed, 2U) << "a name that went and one that came";
  EXPECT_EQ(entry("z").id, first_id("a"));
  EXPECT_EQ(entry("z/deep/three").id, first_id("a/deep/three"));
  // Into another directory, which is younger than it.
  fs::create_directory(tree_ / "new");
  fs::rename(tree_ / "z", tree_ / "new/a");
  publish_without_data();
  EXPECT_EQ(entry("new/a").id, first_id("a"));
  EXPECT_EQ(entry("new/a/one").id, first_id("a/one"));
  EXPECT_GT(entry("new").id, entry("new/a").id);
  // And swapped, parent below child.
  fs::rename(tree_ / "new/a", tree_ / "a");
  fs::rename(tree_ / "new", tree_ / "a/deep/new");
  publish_without_data();
}

TEST_F(Increment, ARenamedFileIsReadAndKeepsItsId) {
  fs::rename(tree_ / "a/one", tree_ / "a/deep/uno");
  fs::rename(tree_ / "long", tree_ / "LONG");
  fs::rename(tree_ / "link", tree_ / "a/link");
  settle();
  const PublishReport report = publish_without_data();
  EXPECT_EQ(report.files_read, 2U) << "ctime moved";
  EXPECT_EQ(entry("a/deep/uno").id, first_id("a/one"));
  EXPECT_EQ(entry("LONG").id, first_id("long"));
  EXPECT_EQ(entry("a/link").id, first_id("link"));
}

TEST_F(Increment, ACopyIsAnotherNodeOfTheSameBytes) {
  fs::copy_file(tree_ / "a/two", tree_ / "copy");
  fs::copy_file(tree_ / "long", tree_ / "long copy");
  settle();
  publish_without_data();
  EXPECT_EQ(entry("a/two").id, first_id("a/two"));
  EXPECT_NE(entry("copy").id, first_id("a/two"));
  EXPECT_TRUE(entry("copy").content == entry("a/two").content);
}

TEST_F(Increment, HardLinksComeAndGo) {
  fs::create_hard_link(tree_ / "a/one", tree_ / "0");
  settle();
  publish_without_data();
  EXPECT_EQ(entry("0").id, first_id("a/one"));
  EXPECT_TRUE(entry("a/one").alias);
  fs::remove(tree_ / "a/one");
  settle();
  publish_without_data();
  EXPECT_EQ(entry("0").id, first_id("a/one"));
  EXPECT_EQ(entry("0").nlink, 1U);
  fs::create_hard_link(tree_ / "0", tree_ / "a/9");
  write_file(tree_ / "0", "written through one name");
  settle();
  publish_and_check();
  EXPECT_EQ(entry("0").id, entry("a/9").id);
  EXPECT_NE(entry("0").id, first_id("a/one"));
}

TEST_F(Increment, AnotherKindUnderTheSameName) {
  fs::remove(tree_ / "tiny");
  fs::create_directory(tree_ / "tiny");
  write_file(tree_ / "tiny/file", "x");
  fs::remove_all(tree_ / "a/deep");
  write_file(tree_ / "a/deep", "a file now");
  fs::remove(tree_ / "link");
  write_file(tree_ / "link", "as well");
  settle();
  publish_and_check();
  std::set<NodeId> old;
  for (const auto& [path, one] : first_) old.insert(one.id);
  for (const char* path : {"tiny", "a/deep", "link"}) EXPECT_FALSE(old.contains(entry(path).id));
}

TEST_F(Increment, DownToNothingAndUpAgain) {
  for (const auto& one : fs::directory_iterator(tree_)) fs::remove_all(one.path());
  EXPECT_EQ(publish_and_check().entries, 0U);
  EXPECT_EQ(head_of(*store_).roots, catalog::empty_roots());
  write_file(tree_ / "a/one", noise(30'000, 1));
  publish_and_check();
  EXPECT_GT(entry("a/one").id, 9U) << "ids are not used twice";
}

// Whoever changes a file right after it was read, within one tick of the clock and to the same
// length, must not be missed the next time.
TEST_F(Increment, WhatIsYoungIsNotTrusted) {
  limits_.settle_ns = 3'600'000'000'000;
  write_file(tree_ / "young", "old bytes");
  publish_and_check();
  for (int i = 0; i < 2; ++i) {
    const PublishReport again = publish_and_check();
    EXPECT_EQ(again.files_read, 1U);
    EXPECT_FALSE(again.changed);
    EXPECT_EQ(again.objects_written, 0U);
  }
  limits_.settle_ns = 20'000'000;
  EXPECT_EQ(publish_and_check().files_read, 1U) << "for the last time";
  EXPECT_EQ(publish_and_check().files_read, 0U);
}

TEST_F(Increment, AStateThatIsLostIsLearnedAgain) {
  const auto before = stored();
  fs::remove_all(options_.state_dir);
  const PublishReport report = publish_and_check();
  EXPECT_FALSE(report.changed) << "all bytes were known again, so all ids were kept";
  EXPECT_EQ(report.files_read, 5U);
  EXPECT_EQ(report.data_bytes, 0U);
  EXPECT_EQ(stored(), before);
  EXPECT_EQ(publish_and_check().files_read, 0U);
  // Chunks were learned, too.
  fs::remove_all(options_.state_dir);
  fs::copy_file(tree_ / "long", tree_ / "copy");
  settle();
  publish_without_data();
}

TEST_F(Increment, AStateThatIsDamagedIsLearnedAgain) {
  int damaged = 0;
  for (const auto& one : fs::directory_iterator(options_.state_dir / "db")) {
    const std::string name = one.path().filename().string();
    if (!name.ends_with(".sst") && !name.starts_with("MANIFEST")) continue;
    std::string bytes = read_file(one.path());
    for (std::size_t at = 0; at < bytes.size(); at += 16) bytes[at] ^= 0x55;
    write_file(one.path(), bytes);
    ++damaged;
  }
  ASSERT_GT(damaged, 0);
  const PublishReport report = publish_and_check();
  EXPECT_FALSE(report.changed);
  EXPECT_EQ(report.files_read, 5U);
  EXPECT_EQ(publish_and_check().files_read, 0U);
}

TEST_F(Increment, TwoMachinesMayTakeTurns) {
  const fs::path mine = options_.state_dir, theirs = temp_.path() / "other state";
  options_.state_dir = theirs;
  write_file(tree_ / "theirs", noise(20'000, 5));
  settle();
  EXPECT_EQ(publish_and_check().sequence, 2U);
  options_.state_dir = mine;
  write_file(tree_ / "mine", noise(20'000, 6));
  settle();
  const PublishReport report = publish_and_check();
  EXPECT_EQ(report.sequence, 3U);
  EXPECT_EQ(report.files_read, 2U) << "the rest is known from revision 1, from which 3 descends";
  EXPECT_LT(report.data_bytes, 21'000U) << "what they stored was learned";
}

// A backup of an older revision is put back: ids beyond it begin again, and mean something else.
TEST_F(Increment, AVolumeThatWasPutBackIsNotTakenForItsLaterSelf) {
  const fs::path backup = temp_.path() / "backup";
  fs::copy(volume_, backup, fs::copy_options::recursive);
  write_file(tree_ / "x", noise(1'000, 5));
  settle();
  publish_and_check();
  fs::remove_all(volume_);
  fs::rename(backup, volume_);
  reopen_store();
  write_file(tree_ / "b", noise(1'000, 6));
  settle();
  const PublishReport report = publish_and_check();
  EXPECT_EQ(report.sequence, 2U);
  EXPECT_EQ(entry("long").id, first_id("long"));
}

TEST_F(Increment, PacksThatWereRemovedAreNotReferredTo) {
  write_file(tree_ / "gone soon", noise(200'000, 7));
  settle();
  publish_and_check();
  const auto content = std::get<catalog::PieceContent>(entry("gone soon").content);
  fs::rename(tree_ / "gone soon", temp_.path() / "aside");
  publish_and_check();
  // What a garbage collector does once no kept revision reaches it.
  ASSERT_TRUE(store_->remove(catalog::pack_path(content.pieces[0].frame.pack)).ok());
  fs::rename(temp_.path() / "aside", tree_ / "back again");
  settle();
  const PublishReport report = publish_and_check();
  EXPECT_GT(report.data_bytes, 200'000U) << "it had to be stored again";
  expect_sound_packs(*store_);
}

// As docs say: who finds a pack damaged may delete it and publish again.
TEST_F(Increment, PacksThatWereLostHeal) {
  limits_.pack_target = 1 << 20;
  write_file(tree_ / "z", noise(1'500'000, 8));
  write_file(tree_ / "sparse", noise(100'000, 9));
  fs::resize_file(tree_ / "sparse", 1 << 20);
  settle();
  publish_and_check();
  const NodeId one = entry("a/one").id;
  for (const char* path : {"z", "sparse"}) {
    const catalog::Entry lost = entry(path);
    const bool is_map = std::holds_alternative<catalog::MapContent>(lost.content);
    const catalog::Digest pack =
        is_map ? std::get<catalog::MapContent>(lost.content).map.pack
               : std::get<catalog::PieceContent>(lost.content).pieces[0].frame.pack;
    ASSERT_TRUE(store_->remove(catalog::pack_path(pack)).ok());
    const PublishReport report = publish_and_check();
    EXPECT_TRUE(report.changed) << path;
    EXPECT_GT(report.files_read, 0U) << path;
    EXPECT_NE(entry(path).id, lost.id) << "nobody could prove that the bytes are the same";
    EXPECT_EQ(entry("a/one").id, one);
  }
  EXPECT_FALSE(publish_and_check().changed);
  expect_sound_packs(*store_);
}

TEST_F(Increment, TagsExpiryAndKeys) {
  options_.tags = {"v1", "latest"};
  const PublishReport tagged = publish_and_check();
  EXPECT_FALSE(tagged.changed);
  EXPECT_EQ(tagged.objects_written, 2U);
  EXPECT_EQ(read_file(volume_ / "tags/v1"), read_file(volume_ / "lazyvol-head"));
  options_.tags = {"../v1"};
  EXPECT_EQ(try_publish().error().code, Code::invalid_argument);
  options_.tags = {"latest"};
  options_.expires_in = std::chrono::hours(1);
  EXPECT_TRUE(publish_and_check().changed) << "the head did not expire before";
  EXPECT_FALSE(publish_and_check().changed) << "it is good for nearly an hour";
  EXPECT_EQ(read_file(volume_ / "tags/latest"), read_file(volume_ / "lazyvol-head"));
  EXPECT_NE(read_file(volume_ / "tags/v1"), read_file(volume_ / "lazyvol-head"));
  options_.expires_in = std::chrono::hours(3);
  EXPECT_TRUE(publish_and_check().changed) << "less than half of it would be left";
  const auto one = *catalog::SecretKey::generate(), other = *catalog::SecretKey::generate();
  options_.key = one;
  EXPECT_TRUE(publish_and_check().changed) << "signed from now on";
  EXPECT_FALSE(publish_and_check().changed);
  options_.key = other;
  EXPECT_EQ(try_publish().error().code, Code::access_denied);
  options_.key.reset();
  EXPECT_EQ(try_publish().error().code, Code::access_denied);
  EXPECT_EQ((*read_head(*store_, "lazyvol-head"))->document.signer, one.public_key());
  // A head that is gone does not make the volume anybody's.
  std::filesystem::remove(volume_ / "lazyvol-head");
  EXPECT_EQ(try_publish().error().code, Code::access_denied);
  options_.key = other;
  EXPECT_EQ(try_publish().error().code, Code::access_denied);
  options_.key = one;
  EXPECT_EQ(try_publish().error().code, Code::stale) << "nor is it begun anew by its owner";
}

TEST_F(Increment, TheHotPackHasTheFramesOfTheProfileInOrder) {
  for (const char* path :
       {"long", "no such file", "a/one", "a", "tiny", "a/one", "link", "a/deep/three"}) {
    options_.profile.push_back({path, false, {}});
  }
  const PublishReport report = publish_and_check();
  EXPECT_TRUE(report.changed);
  EXPECT_GT(report.data_bytes, 5'030'000U);
  const auto hot = head_of(*store_).hot_packs;
  ASSERT_EQ(hot.size(), 1U);
  const auto bytes = store_->read(catalog::pack_path(hot[0].pack), 0, 1ULL << 32);
  ASSERT_TRUE(bytes.ok());
  EXPECT_EQ(bytes->size(), hot[0].bytes);
  const auto frames = catalog::verify_pack(hot[0].pack, *bytes);
  ASSERT_TRUE(frames.ok()) << frames.error().message;
  std::vector<catalog::Digest> hashes, expected;
  for (const auto& frame : *frames) hashes.push_back(frame.hash);
  for (const char* path : {"long", "a/one"}) {
    const auto content = std::get<catalog::PieceContent>(entry(path).content);
    for (const catalog::Piece& piece : content.pieces) {
      if (expected.empty() || expected.back() != piece.frame.hash) {
        expected.push_back(piece.frame.hash);
      }
    }
  }
  EXPECT_EQ(hashes, expected) << "the small ones lie in one frame";
  EXPECT_FALSE(publish_and_check().changed);
  options_.profile.clear();
  EXPECT_TRUE(publish_and_check().changed);
  EXPECT_TRUE(head_of(*store_).hot_packs.empty());
}

TEST_F(Increment, AVolumeThatLostItsHeadIsNotBegunAnew) {
  publish_and_check();
  write_file(tree_ / "tiny", "changed");
  publish_and_check();
  const std::string head = read_file(volume_ / "lazyvol-head");
  fs::remove(volume_ / "lazyvol-head");
  write_file(tree_ / "tiny", "changed again");
  const auto refused = try_publish();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::stale);
  EXPECT_NE(refused.error().message.find("copy revisions/2"), std::string::npos)
      << refused.error().message;
  EXPECT_TRUE(fs::exists(volume_ / "revisions/1"));
  fs::copy(volume_ / "revisions/2", volume_ / "lazyvol-head");
  EXPECT_EQ(read_file(volume_ / "lazyvol-head"), head);
  EXPECT_EQ(publish_and_check().sequence, 3U);
}

TEST_F(Increment, StatisticsAreThoseOfTheRevision) {
  fs::remove(tree_ / "long");
  publish_and_check();
  const catalog::Head head = head_of(*store_);
  EXPECT_EQ(head.statistics.files, 4U);
  EXPECT_EQ(head.statistics.small_files, 4U);
  EXPECT_EQ(head.statistics.directories, 2U);
  EXPECT_EQ(head.statistics.symlinks, 1U);
  EXPECT_EQ(head.statistics.bytes, 120'004U);
  std::uint64_t stored_bytes = 0;
  const auto packs = store_->list("packs/");
  for (const auto& one : *packs) stored_bytes += one.size;
  EXPECT_EQ(head.statistics.stored_bytes, stored_bytes) << "small ones share the long one's pack";
}

}  // namespace
}  // namespace lazyvol::publish
