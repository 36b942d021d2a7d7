// A tree, a volume and a publisher's state in a temporary directory.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "publish/dir_store.h"
#include "publish/publication.h"
#include "publish/volume_check.h"
#include "support/temp_dir.h"

namespace lazyvol::publish {

class PublishFixture : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(tree_);
    reopen_store();
    options_.tree = tree_;
    options_.state_dir = temp_.path() / "state";
    options_.threads = 3;
    limits_.settle_ns = 20'000'000;  // the clocks of ext4 and tmpfs tick every few milliseconds
  }
  void reopen_store() {
    auto store = make_dir_store(volume_);
    ASSERT_TRUE(store.ok()) << store.error().message;
    store_ = *std::move(store);
  }
  Result<PublishReport> try_publish() {
    return publish_within(limits_, *store_, options_, nullptr, {});
  }
  /// Publishes, and holds the volume against the tree.
  PublishReport publish_and_check() {
    auto report = try_publish();
    EXPECT_TRUE(report.ok()) << report.error().message;
    if (!report.ok()) return {};
    expect_shows(*store_, tree_);
    expect_as_rebuilt(*store_);
    return *std::move(report);
  }
  /// Bytes and number of all objects.
  std::pair<std::uint64_t, std::size_t> stored() {
    const auto objects = store_->list("");
    std::uint64_t bytes = 0;
    for (const auto& object : *objects) bytes += object.size;
    return {bytes, objects->size()};
  }
  /// Until what was written now is old enough to be trusted.
  static void settle() { std::this_thread::sleep_for(std::chrono::milliseconds(30)); }
  catalog::Entry entry(const std::string& path) { return entries_of(*store_).at(path); }

  lazyvol::testing::TempDir temp_;
  std::filesystem::path tree_ = temp_.path() / "tree", volume_ = temp_.path() / "volume";
  PublishOptions options_;
  Limits limits_;
  std::unique_ptr<Store> store_;
};

}  // namespace lazyvol::publish
