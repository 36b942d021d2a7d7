// Whole volumes verify; each kind of damage is found, and told by the files that it harms.
#include "publish/verify.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "catalog/catalog_read.h"
#include "catalog/head.h"
#include "catalog/interior_page.h"
#include "catalog/pack.h"
#include "publish/memory_store.h"
#include "publish/sample_volume.h"
#include "publish/volume_reader.h"
#include "support/temp_dir.h"

namespace lazyvol::publish {
namespace {

using lazyvol::testing::noise;

class Verify : public ::testing::Test {
 protected:
  Verify() : volume_(store_) {
    volume_.make_directory("dir");
    for (int i = 0; i < 200; ++i) {
      volume_.write("dir/file" + std::to_string(i), noise(1'000, i));
    }
    volume_.write("big", noise(200'000, 1'000));  // a file map
    volume_.write("small", "inline");
    volume_.write("empty", "");
    volume_.make_symlink("link", "dir/file1");
    volume_.link("dir/hard", "dir/file7");
    publish();
  }
  void publish(const std::string& tag = {}) {
    const auto head = volume_.publish(store_.now_ns, tag);
    ASSERT_TRUE(head.ok()) << head.error().message;
    head_ = *head;
  }
  VerifyReport check(VerifyOptions options = {}) {
    options.threads = 3;
    auto report = verify(store_, options, [](const VerifyProgress&) {}, {});
    EXPECT_TRUE(report.ok()) << report.error().message;
    return report.ok() ? *std::move(report) : VerifyReport();
  }
  /// The pack that the content of a file begins in.
  catalog::Entry entry(const std::string& directory, const std::string& name) {
    StorePages pages(store_);
    const auto root = std::make_shared<const std::string>(head_.head.roots.names);
    NodeId id = kRootNode;
    if (!directory.empty()) id = (*catalog::find_entry(pages, root, kRootNode, directory))->id;
    return **catalog::find_entry(pages, root, id, name);
  }
  std::string& object(const catalog::Digest& pack) {
    return store_.objects.at(catalog::pack_path(pack)).bytes;
  }
  static std::string all(const VerifyReport& report) {
    std::string text;
    for (const Damage& damage : report.damage) {
      text += damage.what + "\n";
      for (const auto& harm : damage.harmed) text += "  " + harm + "\n";
    }
    return text;
  }

  MemoryStore store_;
  SampleVolume volume_;
  catalog::HeadDocument head_;
};

TEST_F(Verify, AWholeVolumeHasNoDamage) {
  const VerifyReport report = check();
  EXPECT_EQ(report.damage_total, 0U) << all(report);
  EXPECT_EQ(report.entries, 206U);
  EXPECT_GT(report.pages, 10U);
  EXPECT_EQ(report.file_maps, 1U);
  EXPECT_GE(report.packs, 3U);
  std::uint64_t bytes = 0;
  for (const auto& [path, object] : store_.objects) {
    if (path.starts_with("packs/")) bytes += object.bytes.size();
  }
  EXPECT_EQ(report.bytes, bytes) << "each pack is read once";
}

TEST_F(Verify, FastReadsNoData) {
  const VerifyReport report = check({.fast = true});
  EXPECT_EQ(report.damage_total, 0U);
  EXPECT_EQ(report.bytes, 0U);
  const auto list = std::get<catalog::PieceContent>(entry("dir", "file5").content);
  object(list.pieces[0].frame.pack)[list.pieces[0].frame.offset + 3] ^= 1;
  EXPECT_EQ(check({.fast = true}).damage_total, 0U);
  EXPECT_EQ(check().damage_total, 1U);
}

TEST_F(Verify, ADamagedFrameNamesItsFiles) {
  const auto list = std::get<catalog::PieceContent>(entry("dir", "file7").content);
  object(list.pieces[0].frame.pack)[list.pieces[0].frame.offset] ^= 1;
  const VerifyReport report = check();
  ASSERT_EQ(report.damage.size(), 1U) << all(report);
  auto harmed = report.damage[0].harmed;
  std::sort(harmed.begin(), harmed.end());
  EXPECT_EQ(harmed, (std::vector<std::string>{"dir/file7", "dir/hard"})) << all(report);
}

TEST_F(Verify, AMissingPackHarmsAllOfItsFiles) {
  const auto list = std::get<catalog::PieceContent>(entry("dir", "file7").content);
  store_.objects.erase(catalog::pack_path(list.pieces[0].frame.pack));
  for (const bool fast : {false, true}) {
    const VerifyReport report = check({.fast = fast});
    ASSERT_EQ(report.damage.size(), 1U) << all(report);
    EXPECT_EQ(report.damage[0].harmed_total, 202U);
    EXPECT_EQ(report.damage[0].harmed.size(), kMaxHarmed);
    EXPECT_NE(report.damage[0].what.find("missing"), std::string::npos);
  }
}

TEST_F(Verify, ATruncatedPackHarmsOnlyWhatIsCutOff) {
  const auto list = std::get<catalog::PieceContent>(entry("dir", "file7").content);
  std::string& bytes = object(list.pieces[0].frame.pack);
  bytes.resize(list.pieces[0].frame.offset);  // this frame and those behind it
  const VerifyReport report = check();
  ASSERT_EQ(report.damage.size(), 1U) << all(report);
  EXPECT_LT(report.damage[0].harmed_total, 202U);
  EXPECT_GT(report.damage[0].harmed_total, 0U);
}

TEST_F(Verify, ADamagedFileMapNamesItsFile) {
  const auto map = std::get<catalog::MapContent>(entry("", "big").content).map;
  object(map.pack)[map.offset + 5] ^= 1;
  for (const bool fast : {false, true}) {
    const VerifyReport report = check({.fast = fast});
    ASSERT_EQ(report.damage.size(), 1U) << all(report);
    EXPECT_EQ(report.damage[0].harmed, std::vector<std::string>{"big"});
  }
}

TEST_F(Verify, AnyFlippedByteOfAnyPackIsFound) {
  for (auto& [path, object] : store_.objects) {
    if (!path.starts_with("packs/")) continue;
    for (const double where : {0.0, 0.3, 0.6, 0.999}) {
      const auto at = static_cast<std::size_t>(static_cast<double>(object.bytes.size()) * where);
      object.bytes[at] ^= 4;
      EXPECT_GE(check().damage_total, 1U) << path << " at " << at;
      object.bytes[at] ^= 4;
    }
  }
  EXPECT_EQ(check().damage_total, 0U);
}

TEST_F(Verify, ADamagedPageTellsWhatLiesInIt) {
  const auto root = catalog::InteriorPage::open(head_.head.roots.names);
  ASSERT_TRUE(root.ok());
  ASSERT_GT(root->rows(), 5U);
  for (std::size_t row = 1; row < root->rows(); ++row) {
    const catalog::FrameRef frame = *root->frame(row);
    object(frame.pack)[frame.offset + 1] ^= 1;
    const VerifyReport report = check({.fast = true});
    ASSERT_EQ(report.damage.size(), 1U);
    ASSERT_EQ(report.damage[0].harmed.size(), 1U);
    EXPECT_TRUE(report.damage[0].harmed[0].starts_with("names after dir/file"));
    EXPECT_NE(report.damage[0].harmed[0].find(" up to dir/"), std::string::npos);
    object(frame.pack)[frame.offset + 1] ^= 1;
  }
}

TEST_F(Verify, TreesThatDisagreeAreFound) {
  // The ids of another revision under the same names.
  const catalog::HeadDocument old = head_;
  volume_.write("dir/one-more", "x");
  publish();
  catalog::Head mixed = head_.head;
  mixed.roots.ids = old.head.roots.ids;
  store_.objects[std::string(kHeadPath)].bytes = *catalog::encode_head(mixed, nullptr);
  const VerifyReport report = check({.fast = true});
  ASSERT_EQ(report.damage.size(), 1U) << all(report);
  EXPECT_NE(report.damage[0].what.find("disagree"), std::string::npos);
  EXPECT_NE(all(report).find("dir/one-more"), std::string::npos) << all(report);
}

TEST_F(Verify, AllRevisionsShareWhatTheyShare) {
  for (int i = 0; i < 5; ++i) {
    volume_.write("dir/file" + std::to_string(i), noise(900, 5'000 + i));
    publish(i == 2 ? "good" : "");
  }
  const VerifyReport one = check(), every = check({.all = true});
  EXPECT_EQ(every.damage_total, 0U) << all(every);
  EXPECT_EQ(every.heads.size(), 8U);  // six revisions, a tag, the head
  EXPECT_LT(every.pages, 3 * one.pages);
  EXPECT_EQ(check({.revision = "good"}).damage_total, 0U);
  EXPECT_EQ(check({.revision = "1"}).damage_total, 0U);
}

TEST_F(Verify, ARevisionThatNeverBecameTheHeadIsNoDamage) {
  const std::string before = store_.objects.at(std::string(kHeadPath)).bytes;
  volume_.write("dir/new", noise(1'000, 2'000));
  publish();
  store_.objects.at(std::string(kHeadPath)).bytes = before;  // as when the publisher was killed
  VerifyOptions options;
  options.all = true;
  const VerifyReport report = check(options);
  EXPECT_EQ(report.damage_total, 0U) << all(report);
  EXPECT_EQ(report.heads.size(), 2U) << "the head, and its own revision";
}

TEST_F(Verify, ADamagedOldRevisionIsToldWithAll) {
  volume_.write("small", "other");
  publish();
  store_.objects["revisions/1"].bytes[40] ^= 1;
  EXPECT_EQ(check().damage_total, 0U);
  EXPECT_EQ(check({.all = true}).damage_total, 1U);
}

TEST_F(Verify, TheKeyIsAskedFor) {
  const auto key = catalog::SecretKey::from_seed({1});
  EXPECT_EQ(check({.key = key.public_key()}).damage_total, 1U);
  MemoryStore other;
  SampleVolume volume(other, key);
  volume.write("a", "b");
  ASSERT_TRUE(volume.publish(other.now_ns).ok());
  const auto verified = [&](const catalog::PublicKey& wanted) {
    return verify(other, {.key = wanted}, [](const VerifyProgress&) {}, {})->damage_total;
  };
  EXPECT_EQ(verified(key.public_key()), 0U);
  EXPECT_EQ(verified(catalog::SecretKey::from_seed({2}).public_key()), 1U);
}

TEST_F(Verify, WhatIsNoVolumeIsAnError) {
  MemoryStore empty;
  const auto report = verify(empty, {}, [](const VerifyProgress&) {}, {});
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().code, Code::not_found);
  std::stop_source stop;
  stop.request_stop();
  const auto stopped = verify(
      store_, {}, [](const VerifyProgress&) {}, stop.get_token());
  ASSERT_FALSE(stopped.ok());
  EXPECT_EQ(stopped.error().code, Code::cancelled);
}

}  // namespace
}  // namespace lazyvol::publish
