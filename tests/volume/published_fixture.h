// A published volume in a directory, mounted through a source that can be made to fail.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gate_source.h"
#include "model/source_url.h"
#include "net/http_engine.h"
#include "published_origin.h"
#include "source/registry.h"
#include "volume/layout.h"
#include "volume/published_volume.h"
#include "volume_fixture.h"

namespace lazyvol::testing {

class PublishedTest : public ::testing::Test {
 protected:
  using Entries = std::vector<std::pair<NodeId, std::string>>;

  /// Publishes nothing by itself. `mirrors` are asked after the origin.
  Status try_open(model::MountOptions options = {}) {
    options.refresh = std::chrono::milliseconds(0);
    options.io_retries = 0;
    options.io_timeout = options.refresh_timeout = std::chrono::seconds(2);
    if (!gate_) gate_ = std::make_shared<GateSource>(source(url_));
    stack_ = std::make_unique<Stack>(
        dir_.path() / "cache",
        [this](const model::MountOptions& chosen, volume::VolumeEnvironment environment)
            -> Result<std::shared_ptr<volume::MountedVolume>> {
          auto layout = volume::find_layout("test", gate_, chosen, environment);
          if (!layout.ok()) return layout.error();
          published_ = layout->published;
          if (!layout->published) return Error{Code::unsupported, "not a published volume"};
          volume::PublishedPlace place{"test", {gate_}, layout->head};
          for (const auto& mirror : chosen.mirror) place.origins.push_back(source(mirror));
          auto volume = volume::PublishedVolume::open(std::move(place), chosen, environment);
          if (!volume.ok()) return volume.error();
          return std::shared_ptr<volume::MountedVolume>(*std::move(volume));
        },
        clock_, std::move(options));
    Status status = stack_->open();
    if (status.ok()) stack_->volume().listen(&listener_);
    return status;
  }
  void open(model::MountOptions options = {}) {
    const Status status = try_open(std::move(options));
    ASSERT_TRUE(status.ok()) << Status(status).error().message;
  }
  void TearDown() override {
    if (gate_) gate_->release();
    stack_.reset();
    gate_.reset();
    blocking_.stop();
    timer_.stop();
  }
  std::shared_ptr<Source> source(const std::string& url) {
    const auto parsed = model::parse_source_url(url);
    EXPECT_TRUE(parsed.ok());
    auto made = source::make_source(*parsed, {}, {http_, timer_, blocking_, bandwidth_});
    EXPECT_TRUE(made.ok());
    return *made;
  }

  Stack& stack() { return *stack_; }
  std::string content(const std::string& path) {
    const auto node = stack_->walk(path);
    if (!node.ok()) return "walk: " + std::string(to_string(node.error().code));
    const auto file = stack_->open_file(node->attributes.id);
    if (!file.ok()) return "open: " + std::string(to_string(file.error().code));
    return bytes_of(**file);
  }
  std::string bytes_of(File& file) {
    const auto bytes = stack_->read(file, 0, file.size() + 10);
    return bytes.ok() ? *bytes : "read: " + std::string(to_string(bytes.error().code));
  }
  Code code_of(const std::string& path) {
    const auto node = stack_->walk(path);
    return node.ok() ? Code::busy : node.error().code;
  }
  std::vector<std::string> names(NodeId id) {
    const auto directory = stack_->list(id);
    if (!directory.ok()) return {"open: " + std::string(to_string(directory.error().code))};
    return names(**directory);
  }
  static std::vector<std::string> names(Directory& directory) {
    const auto all = items(directory);
    if (!all.ok()) return {"read: " + std::string(to_string(all.error().code))};
    std::vector<std::string> out;
    for (const auto& item : *all) out.push_back(item.name);
    return out;
  }
  /// Waits until what is on the workers now has run, notifications included.
  void settle() {
    for (int i = 0; i < 6; ++i) {
      Answer<int> passed;
      stack_->work().submit([done = passed.done()] { done(0); });
      (void)passed.get();
    }
  }
  /// Looks until it holds, for half a minute at most.
  template <class Condition>
  static bool eventually(const Condition& condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return true;
  }
  RefreshReport must_refresh() {
    const auto report = stack_->refresh();
    EXPECT_TRUE(report.ok()) << (report.ok() ? "" : report.error().message);
    settle();
    return report.ok() ? *report : RefreshReport{};
  }
  Entries told_entries() {
    auto entries = listener_.entries();
    std::sort(entries.begin(), entries.end());
    return entries;
  }
  std::vector<NodeId> told_nodes() {
    auto nodes = listener_.nodes();
    std::sort(nodes.begin(), nodes.end());
    return nodes;
  }
  volume::PublishedStats published() { return *stack_->volume().stats().published; }
  /// Damages every pack of that kind of the last revision; answers with what undoes it.
  std::function<void()> damage(bool pages) {
    std::vector<std::pair<std::filesystem::path, std::string>> before;
    for (const auto& pack : origin_.packs(pages)) {
      std::string bytes = read_file(pack);
      before.emplace_back(pack, bytes);
      for (std::size_t i = 20; i + 64 < bytes.size(); i += 50) bytes[i] ^= 0x40;
      write_file(pack, bytes);
    }
    return [before] {
      for (const auto& [pack, bytes] : before) write_file(pack, bytes);
    };
  }

  TempDir dir_;
  FakeClock clock_;
  base::TimerQueue timer_;
  base::Workers blocking_{"lv-block", 4};
  source::BandwidthLimit bandwidth_;
  net::HttpEngine http_{net::HttpEngineOptions()};
  RecordingListener listener_;
  PublishedOrigin origin_{dir_.path() / "volume"};
  std::string url_ = (dir_.path() / "volume").string();
  std::shared_ptr<GateSource> gate_;
  std::unique_ptr<Stack> stack_;
  bool published_ = false;
};

}  // namespace lazyvol::testing
