// gc beside the real publisher: a tree that changes and changes back, with revisions and packs that
// grow old and are removed in between. What stays is whole, and what went is stored again.
#include <gtest/gtest.h>

#include <filesystem>
#include <random>

#include "base/clock.h"
#include "publish/dir_store.h"
#include "publish/gc.h"
#include "publish/publisher.h"
#include "publish/verify.h"
#include "support/temp_dir.h"

namespace lazyvol::publish {
namespace {

namespace fs = std::filesystem;

class GcAndPublish : public ::testing::TestWithParam<std::uint64_t> {
 protected:
  GcAndPublish() : random_(GetParam()), store_(*make_dir_store(temp_.path() / "volume")) {
    options_.tree = temp_.path() / "tree";
    options_.state_dir = temp_.path() / "state";
    options_.threads = 2;
    for (int i = 0; i < 12; ++i) edit();
  }
  std::uint64_t below(std::uint64_t limit) { return random_() % limit; }

  void edit() {
    const fs::path file =
        options_.tree / ("d" + std::to_string(below(3))) / ("f" + std::to_string(below(10)));
    if (below(4) == 0) {
      fs::remove(file);
    } else {
      // Few contents: what was removed comes back, byte for byte.
      testing::write_file(file, testing::noise(1'000 + 40'000 * below(8), below(12)));
    }
  }
  void publish_now() {
    const auto report = publish(*store_, options_, [](const PublishProgress&) {}, {});
    ASSERT_TRUE(report.ok()) << report.error().message;
  }
  /// Everything in the volume was written two days ago.
  void grow_old() {
    const auto then = fs::file_time_type::clock::now() - std::chrono::hours(48);
    for (const auto& entry : fs::recursive_directory_iterator(temp_.path() / "volume")) {
      if (entry.is_regular_file()) fs::last_write_time(entry.path(), then);
    }
  }
  void collect() {
    const GcOptions options{.keep = 1 + below(3)};
    const auto report = collect_garbage(*store_, options, base::system_clock().wall_ns(),
                                        [](std::size_t, std::size_t) {}, {});
    ASSERT_TRUE(report.ok()) << report.error().message;
    removed_ += report->removed_packs;
  }
  void expect_whole() {
    const auto report =
        verify(*store_, {.all = true, .threads = 2}, [](const VerifyProgress&) {}, {});
    ASSERT_TRUE(report.ok()) << report.error().message;
    ASSERT_EQ(report->damage_total, 0U) << report->damage[0].what;
  }

  std::mt19937_64 random_;
  lazyvol::testing::TempDir temp_;
  std::unique_ptr<Store> store_;
  PublishOptions options_;
  std::uint64_t removed_ = 0;
};

TEST_P(GcAndPublish, WhatStaysIsWhole) {
  for (int round = 0; round < 25 && !HasFatalFailure(); ++round) {
    for (std::uint64_t n = below(4); n > 0; --n) edit();
    publish_now();
    if (below(2) == 0) grow_old();
    if (below(2) == 0) collect();
    if (below(10) == 0) fs::remove_all(options_.state_dir);
    expect_whole();
  }
  EXPECT_GT(removed_, 0U);
}
INSTANTIATE_TEST_SUITE_P(Seeds, GcAndPublish, ::testing::Range<std::uint64_t>(1, 5));

}  // namespace
}  // namespace lazyvol::publish
