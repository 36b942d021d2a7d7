// A volume over a scripted source, with a clock that moves when told.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "fake_clock.h"
#include "scripted_source.h"
#include "stack.h"
#include "support/temp_dir.h"

namespace lazyvol::testing {

using Op = ScriptedSource::Op;

/// Remembers what it was told.
class RecordingListener final : public ChangeListener {
 public:
  void entry_changed(NodeId directory, const std::string& name) override {
    told_.lock()->entries.emplace_back(directory, name);
  }
  void node_changed(NodeId id) override { told_.lock()->nodes.push_back(id); }
  std::vector<std::pair<NodeId, std::string>> entries() const { return told_.lock()->entries; }
  std::vector<NodeId> nodes() const { return told_.lock()->nodes; }
  void clear() { *told_.lock() = {}; }

 private:
  struct Told {
    std::vector<std::pair<NodeId, std::string>> entries;
    std::vector<NodeId> nodes;
  };
  base::Locked<Told> told_;
};

class VolumeTest : public ::testing::Test {
 protected:
  static constexpr std::chrono::milliseconds kTtl{60'000};

  /// Call once, after filling source().
  void open(model::MountOptions options = {}) {
    options.metadata_ttl = ttl_;
    stack_ = std::make_unique<Stack>(dir_.path() / "cache", source_, clock_, options);
    const auto status = stack_->open();
    ASSERT_TRUE(status.ok()) << (status.ok() ? "" : Status(status).error().message);
  }
  void TearDown() override {
    source_->release();
    stack_.reset();
  }
  void use_inexact_listings() { source_ = std::make_shared<ScriptedSource>(false); }
  ScriptedSource& source() { return *source_; }
  Stack& stack() { return *stack_; }
  void expire() { clock_.advance(kTtl); }
  std::string content(NodeId id) {
    const auto file = stack_->open_file(id);
    if (!file.ok()) return std::string("open: ") + std::string(to_string(file.error().code));
    const auto bytes = stack_->read(**file, 0, 1 << 20);
    return bytes.ok() ? *bytes : std::string("read: ") + std::string(to_string(bytes.error().code));
  }
  NodeId id_of(const std::string& path) {
    const auto node = stack_->walk(path);
    return node.ok() ? node->attributes.id : 0;
  }
  Code code_of(const std::string& path) {
    const auto node = stack_->walk(path);
    return node.ok() ? Code::busy : node.error().code;
  }
  std::vector<std::string> names(NodeId id) {
    const auto listing = stack_->list(id);
    std::vector<std::string> out;
    if (!listing.ok()) return out;
    const auto all = items(**listing);
    EXPECT_TRUE(all.ok());
    for (const auto& item : *all) out.push_back(item.name);
    return out;
  }
  /// Waits until what is on the workers now has run, notifications included.
  void settle() { settle(stack_->work()); }
  static void settle(base::Workers& work) {
    for (int i = 0; i < 4; ++i) {
      Answer<int> passed;
      work.submit([done = passed.done()] { done(0); });
      (void)passed.get();
    }
  }
  template <class Condition>
  void await(const Condition& condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!condition()) {
      ASSERT_LT(std::chrono::steady_clock::now(), end) << "never happened";
      std::this_thread::yield();
    }
  }

  TempDir dir_;
  FakeClock clock_;
  std::chrono::milliseconds ttl_ = kTtl;
  std::shared_ptr<ScriptedSource> source_ = std::make_shared<ScriptedSource>(true);
  std::unique_ptr<Stack> stack_;
};

}  // namespace lazyvol::testing
