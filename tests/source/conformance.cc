#include "source/conformance.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "support/process.h"
#include "support/temp_dir.h"

namespace lazyvol::source {
namespace {

using lazyvol::testing::noise;
using ::testing::AnyOf;
using ::testing::Eq;

constexpr std::int64_t kOld = 1'600'000'000;  // a time that is settled for every origin
constexpr std::uint64_t kWhole = 1ULL << 40;

std::vector<std::string> awkward_names() {
  return {"plain.txt",
          "with space.txt",
          " leading",
          "trailing ",
          "50%.txt",
          "a%20b",
          "plus+plus",
          "amp&amp;.txt",
          "quote\"'s",
          "<tag>",
          "uni-\u00e9\u20ac",
          "semi;colon",
          "quest?ion",
          "hash#tag",
          "colon:name",
          "http:",
          "?C=N;O=D",
          "back\\slash",
          "tilde~",
          "~user",
          "new\nline",
          "tab\ttab",
          "ctl\x01",
          "index of",
          "Parent Directory",
          "%",
          "%2e%2e",
          "%2Fetc",
          "a=b&c=d",
          "@at",
          "[brackets]",
          "{braces}|pipe",
          "'single'",
          "`tick`",
          "very-" + std::string(245, 'x') + ".long",
          "\u202eright-to-left",
          "\U0001f600"};
}

}  // namespace

Source& SourceConformance::source() {
  if (!source_) source_ = host_->open(rig_);
  return *source_;
}

Source& SourceConformance::reopened() {
  source_.reset();
  return source();
}

TEST_P(SourceConformance, AwkwardNamesComeOutExactlyAndReadBack) {
  std::vector<std::string> names = awkward_names();
  if (GetParam().lists_hidden) names.insert(names.end(), {".hidden", "...", "..x"});
  if (GetParam().keeps_raw_names) names.push_back("latin-\xe9\xff.bin");
  for (const auto& name : names) host_->put("d/" + name, "bytes of " + name, kOld);
  for (const auto& name : names) host_->put("dirs/" + name + "/inner", name, kOld);

  for (const std::string place : {"d", "dirs"}) {
    const auto listing = list(source(), place);
    ASSERT_TRUE(listing.ok()) << listing.error().message;
    std::set<std::string> listed;
    for (const auto& entry : listing->entries) {
      EXPECT_TRUE(listed.insert(entry.name).second) << "twice: " << entry.name;
      EXPECT_EQ(entry.type, place == "d" ? NodeType::file : NodeType::directory) << entry.name;
    }
    EXPECT_EQ(listed, std::set<std::string>(names.begin(), names.end()));
    EXPECT_EQ(listing->refused, 0U);
  }
  for (const auto& name : names) {
    const auto entry = stat(source(), "d/" + name);
    ASSERT_TRUE(entry.ok()) << name << ": " << entry.error().message;
    EXPECT_EQ(entry->name, name);
    EXPECT_EQ(read(source(), "d/" + name, entry->validator, 0, kWhole).bytes, "bytes of " + name);
    const auto inner = list(source(), "dirs/" + name);
    ASSERT_TRUE(inner.ok()) << name << ": " << inner.error().message;
    ASSERT_EQ(inner->entries.size(), 1U) << name;
    EXPECT_EQ(read(source(), "dirs/" + name + "/inner", {}, 0, kWhole).bytes, name);
  }
}

TEST_P(SourceConformance, NestedAndEmptyDirectories) {
  host_->put("a/b/c/deep", "x", kOld);
  host_->make_directory("a/empty");
  const auto root = list(source(), "");
  ASSERT_TRUE(root.ok()) << root.error().message;
  ASSERT_EQ(root->entries.size(), 1U);
  EXPECT_EQ(root->entries[0].name, "a");
  EXPECT_EQ(root->entries[0].type, NodeType::directory);
  const auto a = list(source(), "a");
  ASSERT_TRUE(a.ok());
  EXPECT_EQ(a->entries.size(), 2U);
  const auto empty = list(source(), "a/empty");
  ASSERT_TRUE(empty.ok()) << empty.error().message;
  EXPECT_TRUE(empty->entries.empty());
  EXPECT_FALSE(empty->not_modified);
  const auto deep = list(source(), "a/b/c");
  ASSERT_TRUE(deep.ok());
  ASSERT_EQ(deep->entries.size(), 1U);
  EXPECT_EQ(deep->entries[0].name, "deep");
}

TEST_P(SourceConformance, StatTellsRootDirectoryFileAndNothing) {
  host_->put("d/f", "12345", kOld);
  const auto root = stat(source(), "");
  ASSERT_TRUE(root.ok()) << root.error().message;
  EXPECT_EQ(root->type, NodeType::directory);
  EXPECT_EQ(root->name, "");
  const auto directory = stat(source(), "d");
  ASSERT_TRUE(directory.ok()) << directory.error().message;
  EXPECT_EQ(directory->type, NodeType::directory);
  EXPECT_EQ(directory->name, "d");
  const auto file = stat(source(), "d/f");
  ASSERT_TRUE(file.ok()) << file.error().message;
  EXPECT_EQ(file->type, NodeType::file);
  EXPECT_EQ(file->name, "f");
  EXPECT_EQ(file->size, 5U);
  if (GetParam().sets_mtime) {
    EXPECT_EQ(file->mtime_ns, kOld * 1'000'000'000);
  } else {
    EXPECT_LT(std::abs(*file->mtime_ns / 1'000'000'000 - std::time(nullptr)), 3600);
  }
  EXPECT_FALSE(file->validator.empty());
  EXPECT_EQ(code_of(stat(source(), "d/no")), Code::not_found);
  EXPECT_EQ(code_of(stat(source(), "no/f")), Code::not_found);
  EXPECT_THAT(code_of(stat(source(), "d/f/below")),
              AnyOf(Eq(Code::not_found), Eq(Code::not_directory)));
}

TEST_P(SourceConformance, ListOfAFileOrOfNothing) {
  host_->put("d/f", "12345", kOld);
  EXPECT_EQ(code_of(list(source(), "d/f")), Code::not_directory);
  EXPECT_EQ(code_of(list(source(), "no")), Code::not_found);
  EXPECT_EQ(code_of(list(source(), "d/no")), Code::not_found);
}

TEST_P(SourceConformance, NoPathLeadsOut) {
  host_->put("d/f", "12345", kOld);
  const std::string nul("d\0f", 3);
  for (const std::string& path : {std::string(".."), std::string("d/.."), std::string("d/../d/f"),
                                  std::string("/etc/passwd"), std::string("/"), std::string("d//f"),
                                  std::string("d/"), std::string("."), std::string("./d"), nul}) {
    EXPECT_EQ(code_of(list(source(), path)), Code::invalid_argument) << path;
    EXPECT_EQ(code_of(stat(source(), path)), Code::invalid_argument) << path;
    EXPECT_EQ(code_of(read(source(), path, {}, 0, 1).status), Code::invalid_argument) << path;
  }
  const std::string long_name(256, 'x');
  EXPECT_EQ(code_of(stat(source(), long_name)), Code::name_too_long);
  EXPECT_EQ(code_of(list(source(), "d/" + long_name)), Code::name_too_long);
}

TEST_P(SourceConformance, ReadsAtAllOffsets) {
  const std::string bytes = noise(3 * 1024 * 1024 + 17, 1);
  host_->put("f", bytes, kOld);
  const auto entry = stat(source(), "f");
  ASSERT_TRUE(entry.ok());
  std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges = {{0, 1},
                                                                 {0, kWhole},
                                                                 {1, 1},
                                                                 {bytes.size() - 1, 1},
                                                                 {bytes.size() - 1, 100},
                                                                 {1 << 20, 1 << 20},
                                                                 {(1 << 20) - 1, 2},
                                                                 {17, bytes.size() - 17}};
  std::mt19937 random(7);
  for (int i = 0; i < 20; ++i) ranges.emplace_back(random() % bytes.size(), 1 + random() % 500'000);
  for (const auto& [offset, length] : ranges) {
    const auto outcome = read(source(), "f", entry->validator, offset, length);
    ASSERT_TRUE(outcome.status.ok()) << offset << ": " << outcome.status.error().message;
    EXPECT_EQ(outcome.start->validator, entry->validator);
    EXPECT_EQ(outcome.start->total_size, bytes.size());
    if (GetParam().reads_ranges) {
      EXPECT_EQ(outcome.start->offset, offset);
      EXPECT_TRUE(outcome.bytes == bytes.substr(offset, length)) << offset << "+" << length;
    } else {
      EXPECT_EQ(outcome.start->offset, 0U);
      EXPECT_TRUE(outcome.bytes == bytes);
    }
  }
}

TEST_P(SourceConformance, ReadsPastTheEndGiveNothing) {
  host_->put("f", "12345", kOld);
  const auto entry = stat(source(), "f");
  ASSERT_TRUE(entry.ok());
  for (const std::uint64_t offset : {5ULL, 6ULL, 1ULL << 50}) {
    const auto outcome = read(source(), "f", entry->validator, offset, 10);
    ASSERT_TRUE(outcome.status.ok()) << outcome.status.error().message;
    EXPECT_EQ(outcome.start->length, 0U);
    EXPECT_EQ(outcome.start->total_size, 5U);
    EXPECT_EQ(outcome.bytes, "");
  }
  EXPECT_EQ(code_of(read(source(), "f", entry->validator, 0, 0).status), Code::invalid_argument);
}

TEST_P(SourceConformance, EmptyFile) {
  host_->put("empty", "", kOld);
  const auto entry = stat(source(), "empty");
  ASSERT_TRUE(entry.ok()) << entry.error().message;
  EXPECT_EQ(entry->size, 0U);
  const auto outcome = read(source(), "empty", entry->validator, 0, 100);
  ASSERT_TRUE(outcome.status.ok()) << outcome.status.error().message;
  EXPECT_EQ(outcome.start->length, 0U);
  EXPECT_EQ(outcome.start->total_size, 0U);
}

TEST_P(SourceConformance, ReadOfADirectoryOrOfNothing) {
  host_->put("d/f", "12345", kOld);
  EXPECT_EQ(code_of(read(source(), "d", {}, 0, 1).status), Code::is_directory);
  EXPECT_EQ(code_of(read(source(), "d/no", {}, 0, 1).status), Code::not_found);
}

TEST_P(SourceConformance, ListStatAndReadNameTheSameVersion) {
  for (const std::string name : {"a", "b", "c.tar.gz", "with space"}) {
    host_->put("d/" + name, "bytes of " + name, kOld + name.size());
  }
  host_->put("d/fresh", "just written", std::time(nullptr));
  host_->put("d/epoch", "from 1970", 0);
  for (int life = 0; life < 2; ++life) {
    const auto listing = list(reopened(), "d");
    ASSERT_TRUE(listing.ok());
    for (const RemoteEntry& listed : listing->entries) {
      const std::string path = "d/" + listed.name;
      const auto entry = stat(source(), path);
      ASSERT_TRUE(entry.ok()) << entry.error().message;
      if (GetParam().lists_identity && listed.name != "epoch") {
        EXPECT_EQ(listed.validator, entry->validator) << listed.name;
        EXPECT_EQ(listed.size, entry->size);
        EXPECT_EQ(listed.mtime_ns, entry->mtime_ns);
      } else if (!listed.validator.empty()) {
        EXPECT_EQ(listed.validator, entry->validator) << listed.name;
      }
      if (listed.name == "epoch" && entry->validator.starts_with("n:")) continue;
      EXPECT_EQ(stat(source(), path)->validator, entry->validator);
      const auto any = read(source(), path, {}, 0, kWhole);
      ASSERT_TRUE(any.status.ok()) << any.status.error().message;
      EXPECT_EQ(any.start->validator, entry->validator);
      EXPECT_EQ(any.start->total_size, *entry->size);
      const auto that = read(source(), path, entry->validator, 0, kWhole);
      ASSERT_TRUE(that.status.ok()) << that.status.error().message;
      EXPECT_EQ(that.start->validator, entry->validator);
      EXPECT_EQ(that.bytes, any.bytes);
    }
  }
}

TEST_P(SourceConformance, ListingShowsThatAFileChanged) {
  host_->put("d/f", "one", kOld);
  const auto before = list(source(), "d");
  ASSERT_TRUE(before.ok());
  const auto again = list(source(), "d");
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(find(*before, "f")->token, find(*again, "f")->token);
  EXPECT_EQ(find(*before, "f")->validator, find(*again, "f")->validator);
  host_->put("d/f", "two, longer", kOld + 3600);
  const auto after = list(source(), "d", {}, before->validator);
  ASSERT_TRUE(after.ok());
  ASSERT_FALSE(after->not_modified);
  if (GetParam().lists_identity) {
    EXPECT_NE(find(*before, "f")->validator, find(*after, "f")->validator);
  } else if (GetParam().lists_rows) {
    EXPECT_FALSE(find(*after, "f")->token.empty());
    EXPECT_NE(find(*before, "f")->token, find(*after, "f")->token);
  }
}

TEST_P(SourceConformance, AChangedFileIsAnotherVersion) {
  const std::string one = noise(2 << 20, 1), two = noise(2 << 20, 2);
  host_->put("f", one, kOld);
  const auto before = stat(source(), "f");
  ASSERT_TRUE(before.ok());
  host_->put("f", two, kOld + 60);
  for (const std::uint64_t offset : {0ULL, 4096ULL, (2ULL << 20) - 1}) {
    const auto outcome = read(source(), "f", before->validator, offset, 4096);
    EXPECT_EQ(code_of(outcome.status), Code::stale);
    EXPECT_EQ(outcome.bytes, "") << "bytes of another version were delivered";
  }
  const auto after = stat(source(), "f");
  ASSERT_TRUE(after.ok());
  EXPECT_NE(after->validator, before->validator);
  EXPECT_TRUE(read(source(), "f", after->validator, 0, kWhole).bytes == two);
}

TEST_P(SourceConformance, ASmallerFileIsAnotherVersion) {
  host_->put("f", std::string(100'000, 'x'), kOld);
  const auto before = stat(source(), "f");
  ASSERT_TRUE(before.ok());
  host_->put("f", "short", kOld + 60);
  EXPECT_EQ(code_of(read(source(), "f", before->validator, 50'000, 100).status), Code::stale);
  EXPECT_EQ(code_of(read(source(), "f", before->validator, 0, 100).status), Code::stale);
}

TEST_P(SourceConformance, AGoneFileIsNotFound) {
  host_->put("d/f", "x", kOld);
  host_->put("d/stays", "x", kOld);  // a bucket has no directory without it
  const auto before = stat(source(), "d/f");
  ASSERT_TRUE(before.ok());
  host_->remove("d/f");
  EXPECT_EQ(code_of(stat(source(), "d/f")), Code::not_found);
  EXPECT_EQ(code_of(read(source(), "d/f", before->validator, 0, 1).status), Code::not_found);
  EXPECT_EQ(find(*list(source(), "d"), "f"), nullptr);
}

TEST_P(SourceConformance, AFreshFileSettlesLater) {
  host_->put("fresh", "x", std::time(nullptr));
  const auto fresh = stat(source(), "fresh");
  ASSERT_TRUE(fresh.ok());
  EXPECT_EQ(fresh->settled, GetParam().settles_at_once);
  host_->put("old", "x", kOld);
  if (GetParam().settles_by_mtime) {
    EXPECT_TRUE(stat(source(), "old")->settled);
  } else {
    EXPECT_TRUE(lazyvol::testing::await([&] { return stat(source(), "old")->settled; }));
  }
}

TEST_P(SourceConformance, SymbolicLinks) {
  if (!GetParam().has_symlinks) return;
  host_->put("f", "12345", kOld);
  host_->make_symlink("link", "f");
  host_->make_symlink("outside", "/etc/passwd");
  const auto link = stat(source(), "link");
  ASSERT_TRUE(link.ok()) << link.error().message;
  if (!GetParam().symlinks_are_data) {
    EXPECT_EQ(link->type, NodeType::file);
    EXPECT_EQ(read(source(), "link", link->validator, 0, kWhole).bytes, "12345");
    return;
  }
  EXPECT_EQ(link->type, NodeType::symlink);
  EXPECT_EQ(link->symlink_target, "f");
  EXPECT_EQ(link->size, 1U);
  const auto listing = list(source(), "");
  ASSERT_TRUE(listing.ok());
  EXPECT_EQ(*find(*listing, "link"), *link);
  EXPECT_EQ(find(*listing, "outside")->symlink_target, "/etc/passwd");
  EXPECT_FALSE(read(source(), "outside", {}, 0, 1).status.ok());
}

TEST_P(SourceConformance, PauseStopsTheFlowUntilResumed) {
  const std::string bytes = noise(8 << 20, 3);
  host_->put("f", bytes, kOld);
  auto sink = std::make_shared<CollectingSink>();
  std::mutex mutex;
  std::condition_variable paused;
  int pauses = 0;
  bool over = false;
  const auto pause = [&] {
    const std::lock_guard lock(mutex);
    ++pauses;
    paused.notify_all();
    return Flow::pause;
  };
  sink->start_flow = [&](const ReadStart&) { return pause(); };
  std::size_t next = 0;
  sink->data_flow = [&](std::size_t so_far) {
    if (so_far < next) return Flow::proceed;
    next = so_far + 512 * 1024;
    return pause();
  };
  const auto transfer = source().read({"f", {}, 0, kWhole}, sink, {});
  std::thread resumer([&] {
    for (int resumed = 0;; ++resumed) {
      std::unique_lock lock(mutex);
      paused.wait(lock, [&] { return pauses > resumed || over; });
      if (over) return;
      lock.unlock();
      transfer->resume();
    }
  });
  const auto outcome = sink->wait();
  {
    const std::lock_guard lock(mutex);
    over = true;
    paused.notify_all();
  }
  resumer.join();
  ASSERT_TRUE(outcome.status.ok()) << outcome.status.error().message;
  EXPECT_TRUE(outcome.bytes == bytes);
  EXPECT_GE(pauses, 3);
  transfer->resume();  // after the end: without effect
}

TEST_P(SourceConformance, APausedReadIsCancelledByItsStopToken) {
  host_->put("f", noise(8 << 20, 4), kOld);
  std::stop_source stop;
  RequestContext ctx;
  ctx.stop = stop.get_token();
  auto sink = std::make_shared<CollectingSink>();
  sink->data_flow = [](std::size_t) { return Flow::pause; };
  const auto transfer = source().read({"f", {}, 0, kWhole}, sink, ctx);
  ASSERT_TRUE(sink->wait_for(1));
  stop.request_stop();
  const auto outcome = sink->wait();
  EXPECT_EQ(code_of(outcome.status), Code::cancelled);
  EXPECT_LT(outcome.bytes.size(), std::size_t{8} << 20);
  transfer->resume();
  EXPECT_TRUE(stat(source(), "f").ok()) << "the source lives on";
}

TEST_P(SourceConformance, ARequestStoppedBeforeItBeginsIsCancelled) {
  host_->put("f", "x", kOld);
  (void)source();
  std::stop_source stop;
  stop.request_stop();
  RequestContext ctx;
  ctx.stop = stop.get_token();
  EXPECT_EQ(code_of(list(source(), "", ctx)), Code::cancelled);
  EXPECT_EQ(code_of(stat(source(), "f", ctx)), Code::cancelled);
  EXPECT_EQ(code_of(read(source(), "f", {}, 0, 1, ctx).status), Code::cancelled);
}

TEST_P(SourceConformance, TheSinkMayRefuse) {
  host_->put("f", noise(4 << 20, 5), kOld);
  auto at_start = std::make_shared<CollectingSink>();
  at_start->start_flow = [](const ReadStart&) { return Flow::abort; };
  const auto first = source().read({"f", {}, 0, kWhole}, at_start, {});
  const auto refused = at_start->wait();
  EXPECT_EQ(code_of(refused.status), Code::cancelled);
  EXPECT_EQ(refused.bytes, "");
  auto later = std::make_shared<CollectingSink>();
  later->data_flow = [](std::size_t) { return Flow::abort; };
  const auto second = source().read({"f", {}, 0, kWhole}, later, {});
  EXPECT_EQ(code_of(later->wait().status), Code::cancelled);
}

TEST_P(SourceConformance, ManyCallsAtOnce) {
  std::map<std::string, std::string> files;
  for (unsigned i = 0; i < 12; ++i) {
    const std::string path = "d" + std::to_string(i % 3) + "/f" + std::to_string(i);
    files[path] = noise(100'000 * (i + 1), i);
    host_->put(path, files[path], kOld + i);
  }
  (void)source();
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 6; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(t);
      for (int round = 0; round < 12; ++round) {
        auto file = files.begin();
        std::advance(file, random() % files.size());
        const auto entry = stat(source(), file->first);
        ASSERT_TRUE(entry.ok()) << entry.error().message;
        const std::uint64_t offset = random() % file->second.size();
        const auto outcome = read(source(), file->first, entry->validator, offset, 50'000);
        ASSERT_TRUE(outcome.status.ok()) << outcome.status.error().message;
        const std::uint64_t skip = offset - outcome.start->offset;
        EXPECT_TRUE(outcome.bytes.substr(skip, 50'000) == file->second.substr(offset, 50'000));
        EXPECT_EQ(list(source(), "d" + std::to_string(random() % 3))->entries.size(), 4U);
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

TEST_P(SourceConformance, OutOfReachIsNeverAbsent) {
  if (!GetParam().can_go_down) GTEST_SKIP() << "this origin cannot go away";
  host_->put("d/f", "12345", kOld);
  const auto entry = stat(source(), "d/f");
  ASSERT_TRUE(entry.ok());
  host_->go_down();
  RequestContext ctx;
  ctx.no_progress = std::chrono::milliseconds(300);
  const auto away = AnyOf(Eq(Code::unreachable), Eq(Code::timed_out), Eq(Code::io_error));
  EXPECT_THAT(code_of(list(source(), "", ctx)), away);
  EXPECT_THAT(code_of(list(source(), "no", ctx)), away);
  EXPECT_THAT(code_of(stat(source(), "no", ctx)), away);
  EXPECT_THAT(code_of(read(source(), "d/f", entry->validator, 0, 5, ctx).status), away);
  host_->come_back();
  EXPECT_EQ(read(source(), "d/f", entry->validator, 0, 5).bytes, "12345");
  EXPECT_EQ(list(source(), "d")->entries.size(), 1U);
}

TEST_P(SourceConformance, TraitsNameNoSecret) {
  host_->put("f", "x", kOld);
  const SourceTraits traits = source().traits();
  EXPECT_FALSE(traits.scheme.empty());
  EXPECT_FALSE(traits.display.empty());
  EXPECT_EQ(traits.display.find('@'), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Hosts, SourceConformance, ::testing::ValuesIn(host_kinds()),
                         [](const auto& kind) { return kind.param.name; });

}  // namespace lazyvol::source
