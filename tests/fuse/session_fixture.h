// Tests over a real kernel mount.
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <memory>
#include <optional>
#include <string>

#include "base/locked.h"
#include "fuse/memory_volume.h"
#include "fuse/mount_info.h"
#include "fuse/session.h"
#include "support/temp_dir.h"

namespace lazyvol::fuse::testing {

/// A memory volume on a temporary directory, mounted by the test.
class SessionTest : public ::testing::Test {
 protected:
  void mount(OpenBy open = OpenBy::passthrough) {
    auto with = options();
    with.open = open;
    auto session = Session::mount(volume_, with, [this] {
      *unmounted_.lock() = true;
      changed_.notify_all();
    });
    ASSERT_TRUE(session.ok()) << session.error().message;
    session_ = *std::move(session);
  }
  SessionOptions options() const {
    SessionOptions options;
    options.mountpoint = dir_.path();
    options.fsname = "memory:x";
    return options;
  }
  std::string path(const std::string& name) const { return (dir_.path() / name).string(); }
  void TearDown() override {
    volume_->release_reads();
    session_.reset();
    EXPECT_FALSE(mounted().has_value());
  }

  std::optional<MountInfo> mounted() const {
    const auto mounts = read_mount_info();
    const auto* there = mounts.ok() ? mount_at(*mounts, dir_.path().native()) : nullptr;
    return there != nullptr ? std::optional(*there) : std::nullopt;
  }

  lazyvol::testing::TempDir dir_;
  std::shared_ptr<lazyvol::testing::MemoryVolume> volume_ =
      std::make_shared<lazyvol::testing::MemoryVolume>();
  base::Locked<bool> unmounted_;
  std::condition_variable changed_;
  std::unique_ptr<Session> session_;
};

}  // namespace lazyvol::fuse::testing
