#include "publish/store_conformance.h"

#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <optional>
#include <thread>
#include <vector>

#include "support/temp_dir.h"

namespace lazyvol::publish {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::uint64_t kAll = 1ULL << 40;

void StoreConformance::put(const std::string& path, const std::vector<std::string>& parts) {
  auto writer = store_->create();
  ASSERT_TRUE(writer.ok()) << writer.error().message;
  for (const std::string& part : parts) {
    const Status written = (*writer)->write(part);
    ASSERT_TRUE(written.ok()) << written.error().message;
  }
  const Status done = (*writer)->commit(path);
  ASSERT_TRUE(done.ok()) << done.error().message;
}

std::string StoreConformance::get(const std::string& path) {
  const auto bytes = store_->read(path, 0, kAll);
  EXPECT_TRUE(bytes.ok()) << bytes.error().message;
  return bytes.ok() ? *bytes : "";
}

std::vector<std::string> StoreConformance::paths(const std::string& prefix) {
  const auto listed = store_->list(prefix);
  EXPECT_TRUE(listed.ok()) << listed.error().message;
  std::vector<std::string> result;
  if (listed.ok()) {
    for (const StoredObject& one : *listed) result.push_back(one.path);
  }
  return result;
}

namespace {

TEST_P(StoreConformance, AnObjectIsThereWhenItIsCommitted) {
  auto writer = store_->create();
  ASSERT_TRUE(writer.ok()) << writer.error().message;
  ASSERT_TRUE((*writer)->write("one ").ok());
  ASSERT_TRUE((*writer)->write(std::string_view("t\0wo", 4)).ok());
  EXPECT_THAT(paths(""), IsEmpty());
  EXPECT_FALSE(store_->stat("packs/ab/abc")->has_value());
  ASSERT_TRUE((*writer)->commit("packs/ab/abc").ok());
  EXPECT_EQ(get("packs/ab/abc"), std::string("one t\0wo", 8));
}

TEST_P(StoreConformance, AnObjectThatIsDroppedLeavesNothing) {
  {
    auto writer = store_->create();
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE((*writer)->write("half").ok());
  }
  EXPECT_THAT(paths(""), IsEmpty());
}

TEST_P(StoreConformance, AnObjectThatIsThereStays) {
  put("packs/ab/abc", {"first"});
  put("packs/ab/abc", {"second"});
  EXPECT_EQ(get("packs/ab/abc"), "first");
  EXPECT_THAT(paths("packs/"), ElementsAre("packs/ab/abc"));
}

TEST_P(StoreConformance, ReadsRanges) {
  const std::string bytes = lazyvol::testing::noise(300'000, 1);
  put("packs/00/x", {bytes.substr(0, 7), bytes.substr(7)});
  EXPECT_EQ(*store_->read("packs/00/x", 0, 10), bytes.substr(0, 10));
  EXPECT_EQ(*store_->read("packs/00/x", 123'456, 100'000), bytes.substr(123'456, 100'000));
  EXPECT_EQ(*store_->read("packs/00/x", 299'990, 1'000), bytes.substr(299'990));
  EXPECT_EQ(*store_->read("packs/00/x", 300'000, 1), "");
  EXPECT_EQ(*store_->read("packs/00/x", 1ULL << 33, 1), "");
  EXPECT_EQ(*store_->read("packs/00/x", 5, 0), "");
}

TEST_P(StoreConformance, AnEmptyObjectIsOne) {
  put("packs/00/empty", {});
  EXPECT_EQ(get("packs/00/empty"), "");
  const auto found = store_->stat("packs/00/empty");
  ASSERT_TRUE(found.ok() && found->has_value());
  EXPECT_EQ((*found)->size, 0U);
}

TEST_P(StoreConformance, WhatIsNotThereIsNotFound) {
  const auto read = store_->read("packs/00/none", 0, 1);
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().code, Code::not_found);
  const auto found = store_->stat("lazyvol-head");
  ASSERT_TRUE(found.ok()) << found.error().message;
  EXPECT_FALSE(found->has_value());
  EXPECT_THAT(paths("packs/"), IsEmpty());
  EXPECT_TRUE(store_->remove("packs/00/none").ok());
}

TEST_P(StoreConformance, ListsInByteOrderByPrefix) {
  for (const char* path : {"packs/b/2", "packs/b/10", "packs/a-/1", "packs/a/1", "revisions/1"}) {
    put(path, {path});
  }
  ASSERT_TRUE(store_->replace("lazyvol-head", std::nullopt, "head").ok());
  EXPECT_THAT(paths("packs/"), ElementsAre("packs/a-/1", "packs/a/1", "packs/b/10", "packs/b/2"));
  EXPECT_THAT(paths("packs/b/1"), ElementsAre("packs/b/10"));
  EXPECT_THAT(paths("pack"), ElementsAre("packs/a-/1", "packs/a/1", "packs/b/10", "packs/b/2"));
  EXPECT_THAT(paths("packs/a/1/x"), IsEmpty());
  EXPECT_THAT(paths(""), ElementsAre("lazyvol-head", "packs/a-/1", "packs/a/1", "packs/b/10",
                                     "packs/b/2", "revisions/1"));
}

TEST_P(StoreConformance, TellsSizesAndTimes) {
  const auto now = [] {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
  };
  const std::int64_t before = now();
  put("packs/00/x", {"12345"});
  const auto found = store_->stat("packs/00/x");
  ASSERT_TRUE(found.ok() && found->has_value());
  EXPECT_EQ((*found)->size, 5U);
  // Clocks of stores differ and tick in seconds.
  constexpr std::int64_t kMinute = 60'000'000'000;
  EXPECT_GT((*found)->mtime_ns, before - kMinute);
  EXPECT_LT((*found)->mtime_ns, now() + kMinute);
  const auto listed = store_->list("packs/");
  ASSERT_TRUE(listed.ok());
  ASSERT_EQ(listed->size(), 1U);
  EXPECT_EQ(listed->at(0).size, 5U);
  EXPECT_EQ(listed->at(0).mtime_ns, (*found)->mtime_ns);
}

TEST_P(StoreConformance, ReplacesWhatTheCallerKnows) {
  EXPECT_EQ(store_->replace("lazyvol-head", "ghost", "x").error().code, Code::busy);
  EXPECT_FALSE(store_->stat("lazyvol-head")->has_value());
  ASSERT_TRUE(store_->replace("lazyvol-head", std::nullopt, "one").ok());
  EXPECT_EQ(store_->replace("lazyvol-head", std::nullopt, "x").error().code, Code::busy);
  EXPECT_EQ(store_->replace("lazyvol-head", "on", "x").error().code, Code::busy);
  EXPECT_EQ(store_->replace("lazyvol-head", "one more", "x").error().code, Code::busy);
  EXPECT_EQ(get("lazyvol-head"), "one");
  ASSERT_TRUE(store_->replace("lazyvol-head", "one", "two").ok());
  EXPECT_EQ(get("lazyvol-head"), "two");
  ASSERT_TRUE(store_->replace("tags/v1.0", std::nullopt, "").ok());
  ASSERT_TRUE(store_->replace("tags/v1.0", "", "three").ok());
  EXPECT_EQ(get("tags/v1.0"), "three");
}

TEST_P(StoreConformance, Removes) {
  put("packs/00/x", {"1"});
  put("packs/00/y", {"2"});
  ASSERT_TRUE(store_->remove("packs/00/x").ok());
  EXPECT_THAT(paths(""), ElementsAre("packs/00/y"));
  put("packs/00/x", {"3"});
  EXPECT_EQ(get("packs/00/x"), "3");
}

TEST_P(StoreConformance, RefusesPathsThatLeaveIt) {
  ASSERT_TRUE(store_->replace("lazyvol-head", std::nullopt, "head").ok());
  for (const char* path : {"../x", "/etc/passwd", "packs/../../x", "packs//x", "", "packs/", "."}) {
    EXPECT_EQ(store_->read(path, 0, 1).error().code, Code::invalid_argument) << path;
    EXPECT_EQ(store_->stat(path).error().code, Code::invalid_argument) << path;
    EXPECT_EQ(store_->remove(path).error().code, Code::invalid_argument) << path;
    EXPECT_EQ(store_->replace(path, std::nullopt, "x").error().code, Code::invalid_argument);
    auto writer = store_->create();
    ASSERT_TRUE(writer.ok());
    EXPECT_EQ((*writer)->commit(path).error().code, Code::invalid_argument) << path;
  }
  EXPECT_THAT(paths(""), ElementsAre("lazyvol-head"));
}

TEST_P(StoreConformance, SeveralMayBeOpen) {
  const auto other = place_->open();
  put("packs/00/x", {"1"});
  EXPECT_EQ(*other->read("packs/00/x", 0, 10), "1");
  ASSERT_TRUE(other->replace("lazyvol-head", std::nullopt, "theirs").ok());
  EXPECT_EQ(store_->replace("lazyvol-head", std::nullopt, "ours").error().code, Code::busy);
  EXPECT_EQ(get("lazyvol-head"), "theirs");
}

// What one publisher wrote, another must have seen before it replaces it: so of many that count up,
// none is lost.
TEST_P(StoreConformance, NoReplacementIsLost) {
  ASSERT_TRUE(store_->replace("lazyvol-head", std::nullopt, "0").ok());
  constexpr int kThreads = 4, kRounds = 25;
  std::atomic<int> refused{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      const auto own = place_->open();
      for (int round = 0; round < kRounds;) {
        const auto text = own->read("lazyvol-head", 0, 100);
        ASSERT_TRUE(text.ok()) << text.error().message;
        const Status done =
            own->replace("lazyvol-head", *text, std::to_string(std::stoi(*text) + 1));
        if (done.ok()) {
          ++round;
        } else {
          ASSERT_EQ(done.error().code, Code::busy) << done.error().message;
          ++refused;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(get("lazyvol-head"), std::to_string(kThreads * kRounds)) << refused << " refused";
}

TEST_P(StoreConformance, OnlyWhatIsOldIsRemovedAsOld) {
  put("packs/00/a", {"x"});
  const std::int64_t written = (*store_->stat("packs/00/a"))->mtime_ns;
  EXPECT_FALSE(*store_->remove_older("packs/00/a", written - 1));
  EXPECT_EQ(get("packs/00/a"), "x");
  EXPECT_TRUE(*store_->remove_older("packs/00/a", written));
  EXPECT_FALSE(store_->stat("packs/00/a")->has_value());
  EXPECT_TRUE(*store_->remove_older("packs/00/a", written)) << "not being there is success";
  EXPECT_EQ(paths(""), std::vector<std::string>());
}

TEST_P(StoreConformance, WhatIsWrittenAgainCountsAsNew) {
  put("packs/00/a", {"x"});
  const std::int64_t written = (*store_->stat("packs/00/a"))->mtime_ns;
  while ((*store_->stat("packs/00/a"))->mtime_ns == written) put("packs/00/a", {"x"});
  EXPECT_FALSE(*store_->remove_older("packs/00/a", written));
}

TEST_P(StoreConformance, NobodyReplacesWhileTheStoreIsHeld) {
  const auto other = place_->open();
  {
    const auto lock = store_->lock();
    ASSERT_TRUE(lock.ok()) << lock.error().message;
    const auto second = other->lock();
    ASSERT_FALSE(second.ok());
    EXPECT_EQ(second.error().code, Code::busy);
  }
  EXPECT_TRUE(other->lock().ok());
  EXPECT_TRUE(other->replace("lazyvol-head", std::nullopt, "x").ok());
}

TEST_P(StoreConformance, ManyMayWriteTheSameObject) {
  const std::string bytes = lazyvol::testing::noise(200'000, 2);
  std::vector<std::thread> threads;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&, i] {
      auto writer = store_->create();
      ASSERT_TRUE(writer.ok());
      ASSERT_TRUE((*writer)->write(bytes).ok());
      ASSERT_TRUE((*writer)->commit("packs/00/same").ok());
      auto own = store_->create();
      ASSERT_TRUE(own.ok());
      ASSERT_TRUE((*own)->write(std::to_string(i)).ok());
      ASSERT_TRUE((*own)->commit("packs/00/own-" + std::to_string(i)).ok());
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(get("packs/00/same"), bytes);
  EXPECT_EQ(paths("packs/").size(), 7U);
}

}  // namespace
}  // namespace lazyvol::publish
