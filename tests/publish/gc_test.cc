// What gc keeps and what it removes, whatever happens meanwhile.
#include "publish/gc.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "publish/dir_store.h"
#include "publish/kept_heads.h"
#include "publish/memory_store.h"
#include "publish/reach.h"
#include "publish/sample_volume.h"
#include "publish/verify.h"
#include "publish/volume_reader.h"
#include "support/temp_dir.h"

namespace lazyvol::publish {
namespace {

using lazyvol::testing::noise;

constexpr std::int64_t kHour = 3'600'000'000'000;

Result<GcReport> collect(MemoryStore& store, GcOptions options = {}) {
  options.threads = 2;
  return collect_garbage(store, options, store.now_ns, [](std::size_t, std::size_t) {}, {});
}

std::set<std::string> packs_of(const MemoryStore& store) {
  std::set<std::string> result;
  for (const auto& [path, object] : store.objects) {
    if (path.starts_with("packs/")) result.insert(path);
  }
  return result;
}

class Gc : public ::testing::Test {
 protected:
  Gc() : volume_(store_) {
    for (int i = 0; i < 50; ++i) volume_.write("f" + std::to_string(i), noise(500, i));
    publish();
  }
  void publish(const std::string& tag = {}) {
    const auto head = volume_.publish(store_.now_ns, tag);
    ASSERT_TRUE(head.ok()) << head.error().message;
  }
  GcReport gc(const GcOptions& options = {}) {
    auto report = collect(store_, options);
    EXPECT_TRUE(report.ok()) << report.error().message;
    return report.ok() ? *std::move(report) : GcReport();
  }
  void expect_whole(const std::string& revision) {
    const auto report =
        verify(store_, {.revision = revision, .threads = 1}, [](const VerifyProgress&) {}, {});
    ASSERT_TRUE(report.ok()) << report.error().message;
    EXPECT_EQ(report->damage_total, 0U)
        << "revision " << revision << ": " << report->damage[0].what;
  }
  MemoryStore store_;
  SampleVolume volume_;
};

TEST_F(Gc, KeepsTheLastRevisionsAndRemovesWhatOnlyOthersReach) {
  for (int i = 0; i < 5; ++i) {
    store_.now_ns += 100 * kHour;
    volume_.write("changing", noise(3'000, 100 + i));
    publish();
  }
  store_.now_ns += 100 * kHour;
  const auto before = packs_of(store_);
  const GcReport report = gc({.keep = 2});
  EXPECT_EQ(report.revisions_kept, (std::vector<std::uint64_t>{5, 6}));
  EXPECT_EQ(report.revisions_removed, (std::vector<std::uint64_t>{1, 2, 3, 4}));
  EXPECT_GT(report.removed_packs, 3U);
  EXPECT_EQ(packs_of(store_).size(), before.size() - report.removed_packs);
  EXPECT_FALSE(store_.objects.contains("revisions/4"));
  for (const char* revision : {"", "5", "6"}) expect_whole(revision);
  const GcReport again = gc({.keep = 2});
  EXPECT_EQ(again.removed_packs, 0U);
  EXPECT_TRUE(again.revisions_removed.empty());
}

TEST_F(Gc, ADryRunSaysTheSameAndRemovesNothing) {
  store_.now_ns += 100 * kHour;
  volume_.write("f1", noise(3'000, 200));
  publish();
  store_.now_ns += 100 * kHour;
  const std::size_t before = store_.objects.size();
  const GcReport dry = gc({.keep = 1, .dry_run = true});
  EXPECT_EQ(store_.objects.size(), before);
  const GcReport wet = gc({.keep = 1});
  EXPECT_EQ(dry.removed_packs, wet.removed_packs);
  EXPECT_EQ(dry.removed_bytes, wet.removed_bytes);
  EXPECT_EQ(store_.objects.size(), before - wet.removed_packs - 1);
}

TEST_F(Gc, GraceBeginsWhenARevisionIsSuperseded) {
  store_.now_ns += 1000 * kHour;  // the first one is old, but was the head until now
  volume_.write("f1", noise(3'000, 200));
  publish();
  store_.now_ns += 23 * kHour;
  EXPECT_TRUE(gc({.keep = 1}).revisions_removed.empty());
  expect_whole("1");
  store_.now_ns += 2 * kHour;
  EXPECT_EQ(gc({.keep = 1}).revisions_removed, std::vector<std::uint64_t>{1});
  expect_whole("");
}

TEST_F(Gc, TagsAreKept) {
  volume_.write("f1", noise(3'000, 200));
  publish("v1");
  store_.now_ns += 100 * kHour;
  volume_.remove("f1");
  publish();
  store_.now_ns += 100 * kHour;
  const GcReport report = gc({.keep = 1});
  EXPECT_EQ(report.tags, std::vector<std::string>{"v1"});
  EXPECT_EQ(report.revisions_removed, (std::vector<std::uint64_t>{1, 2}));
  expect_whole("v1");
  store_.objects.erase("tags/v1");
  EXPECT_GT(gc({.keep = 1}).removed_packs, 0U);
  expect_whole("");
}

TEST_F(Gc, WhatCannotBeReadStopsItBeforeAnythingGoes) {
  store_.now_ns += 100 * kHour;
  volume_.write("f1", noise(3'000, 200));
  publish();
  store_.now_ns += 100 * kHour;
  auto& head = store_.objects[std::string(kHeadPath)].bytes;
  head[head.size() / 2] ^= 1;
  const auto before = store_.objects.size();
  EXPECT_FALSE(collect(store_, {.keep = 1}).ok());
  EXPECT_EQ(store_.objects.size(), before);
}

TEST_F(Gc, OtherFilesAreNotItsBusiness) {
  store_.objects["packs/README"] = {"x", 0};
  store_.objects["packs/ab/" + std::string(64, 'c')] = {"not under its first digits", 0};
  store_.objects["revisions/old"] = {"x", 0};
  (void)gc({.keep = 1});
  EXPECT_TRUE(store_.objects.contains("packs/README"));
  EXPECT_TRUE(store_.objects.contains("packs/ab/" + std::string(64, 'c')));
  EXPECT_TRUE(store_.objects.contains("revisions/old"));
}

TEST_F(Gc, LiveFractions) {
  const GcReport first = gc();
  for (const GcPack& pack : first.packs) {
    EXPECT_EQ(pack.fate, GcPack::Fate::live);
    EXPECT_GT(pack.live_bytes, 0U);
    EXPECT_LT(pack.live_bytes, pack.bytes);
  }
  for (int i = 0; i < 25; ++i) volume_.remove("f" + std::to_string(i));
  store_.now_ns += 100 * kHour;
  publish();
  store_.now_ns += 100 * kHour;
  const GcReport half = gc({.keep = 1});
  const auto data = [](const GcReport& report) {
    return *std::max_element(report.packs.begin(), report.packs.end(),
                             [](auto& a, auto& b) { return a.bytes < b.bytes; });
  };
  EXPECT_EQ(data(first).pack, data(half).pack);
  EXPECT_EQ(data(half).live_bytes * 2, data(first).live_bytes);
}

TEST(GcDirectory, RefusesWhileTheHeadIsHeld) {
  testing::TempDir dir;
  auto store = *make_dir_store(dir.path());
  SampleVolume volume(*store);
  volume.write("a", noise(1'000, 1));
  ASSERT_TRUE(volume.publish(1).ok());
  const auto gc = [&](bool dry) {
    auto other = *open_dir_store(dir.path());
    return collect_garbage(*other, {.dry_run = dry}, INT64_MAX, [](std::size_t, std::size_t) {},
                           {});
  };
  EXPECT_TRUE(gc(false).ok());
  const auto lock = store->lock();
  ASSERT_TRUE(lock.ok());
  EXPECT_TRUE(gc(true).ok());
  const auto refused = gc(false);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::busy);
}

/// Publishes, abandoned publishes, tags and collections in any order and in the midst of each
/// other, with a clock that jumps. After each step everything that must be there is whole.
class GcRounds {
 public:
  explicit GcRounds(std::uint64_t seed) : random_(seed), volume_(store_) {
    for (int i = 0; i < 20; ++i) edit();
    publish();
  }

  void step() {
    store_.now_ns += static_cast<std::int64_t>(below(15)) * kHour;
    switch (below(6)) {
      case 0:
        for (std::uint64_t n = 1 + below(4); n > 0; --n) edit();
        return abandoned_publish();
      case 1:
        return collect_garbage_now();
      case 2:
        return abandoned_collection();
      case 3:
        for (std::uint64_t n = 1 + below(4); n > 0; --n) edit();
        volume_.before_head = [this] { collect_garbage_now(); };
        publish();
        volume_.before_head = nullptr;
        return;
      case 4:
        store_.on_lock = [this] {
          edit();
          publish();
        };
        collect_garbage_now();
        store_.on_lock = nullptr;
        return;
      default:
        for (std::uint64_t n = 1 + below(4); n > 0; --n) edit();
        publish();
    }
  }
  std::uint64_t removed() const { return removed_; }

 private:
  std::uint64_t below(std::uint64_t limit) { return random_() % limit; }

  void edit() {
    // Few contents, so that what was removed comes back now and then, byte for byte.
    volume_.write("f" + std::to_string(below(40)), noise(200 + 50 * below(20), below(30)));
    if (const auto paths = volume_.paths(); paths.size() > 10 && below(3) == 0) {
      volume_.remove(paths[below(paths.size())]);
    }
  }
  void publish() {
    const std::string tag = below(8) == 0 ? "t" + std::to_string(published_.size()) : "";
    const auto head = volume_.publish(store_.now_ns, tag);
    ASSERT_TRUE(head.ok()) << head.error().message;
    if (!published_.empty()) published_.rbegin()->second = store_.now_ns;
    published_[head->head.sequence] = INT64_MAX;
    if (!tag.empty()) tags_.push_back(tag);
  }
  void abandoned_publish() {
    store_.changes_left = below(6);
    const auto head = volume_.publish(store_.now_ns);
    store_.changes_left.reset();
    if (!head.ok()) return;
    if (!published_.empty()) published_.rbegin()->second = store_.now_ns;
    published_[head->head.sequence] = INT64_MAX;
  }
  void collect_garbage_now() {
    const std::uint64_t keep = 1 + below(3);
    const auto report = collect(store_, {.keep = keep});
    ASSERT_TRUE(report.ok()) << report.error().message;
    removed_ += report->removed_packs;
    check(keep);
    // A head that another one pushed out while gc ran keeps its packs until the next time.
    if (!store_.on_lock) expect_no_rubbish(*report);
  }
  void abandoned_collection() {
    const std::uint64_t keep = 1 + below(3);
    store_.changes_left = below(8);
    (void)collect(store_, {.keep = keep});
    store_.changes_left.reset();
    check(keep);
  }
  void check(std::uint64_t keep) {
    std::vector<std::string> whole{""};
    whole.insert(whole.end(), tags_.begin(), tags_.end());
    const std::uint64_t newest = published_.rbegin()->first;
    for (const auto& [sequence, superseded] : published_) {
      const bool young = superseded > store_.now_ns - 24 * kHour;
      if (young || newest - sequence < keep) {
        // An earlier collection may have kept fewer.
        if (young || store_.objects.contains(revision_path(sequence))) {
          whole.push_back(std::to_string(sequence));
        }
      }
    }
    for (const std::string& revision : whole) {
      const auto report =
          verify(store_, {.revision = revision, .threads = 1}, [](const VerifyProgress&) {}, {});
      ASSERT_TRUE(report.ok()) << report.error().message;
      ASSERT_EQ(report->damage_total, 0U) << report->damage[0].what;
    }
  }
  /// Every revision that is left is whole, and every old pack is reached.
  void expect_no_rubbish(const GcReport& report) {
    const auto heads = list_kept_heads(store_, UINT64_MAX);
    Reach reach(store_, 1, {});
    std::vector<std::string> paths{std::string(kHeadPath)};
    for (const HeadFile& file : heads->revisions) paths.push_back(file.path);
    for (const HeadFile& file : heads->tags) paths.push_back(file.path);
    for (const std::string& path : paths) {
      const auto head = need_head(store_, path);
      ASSERT_TRUE(head.ok()) << head.error().message;
      const Status added = reach.add(head->document.head);
      ASSERT_TRUE(added.ok()) << path << ": " << added.error().message;
    }
    const auto live = reach.packs();
    for (const GcPack& pack : report.packs) {
      if (pack.fate == GcPack::Fate::live) {
        ASSERT_TRUE(live.contains(pack.pack));
        ASSERT_EQ(live.at(pack.pack).bytes, pack.live_bytes);
      }
    }
    for (const auto& [path, object] : store_.objects) {
      if (!path.starts_with("packs/") || object.mtime_ns > store_.now_ns - 24 * kHour) continue;
      const bool used = std::any_of(live.begin(), live.end(), [&wanted = path](const auto& one) {
        return catalog::pack_path(one.first) == wanted;
      });
      ASSERT_TRUE(used) << path;
    }
  }

  std::mt19937_64 random_;
  MemoryStore store_;
  SampleVolume volume_;
  std::map<std::uint64_t, std::int64_t> published_;  // sequence → when it was superseded
  std::vector<std::string> tags_;
  std::uint64_t removed_ = 0;
};

class GcProperty : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(GcProperty, NothingThatIsNeededGoesAndNothingElseStays) {
  GcRounds rounds(GetParam());
  for (int i = 0; i < 60 && !::testing::Test::HasFatalFailure(); ++i) rounds.step();
  EXPECT_GT(rounds.removed(), 0U);
}
INSTANTIATE_TEST_SUITE_P(Seeds, GcProperty, ::testing::Range<std::uint64_t>(1, 21));

}  // namespace
}  // namespace lazyvol::publish
