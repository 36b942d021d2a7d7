// Versions: open handles, stale content, on-change, and who is told.
#include <algorithm>

#include "volume_fixture.h"

namespace lazyvol::testing {
namespace {

constexpr std::size_t kBlock = model::kBlockSize;

class ChangeTest : public VolumeTest {
 protected:
  bool told(NodeId directory, const std::string& name) const {
    const auto entries = listener_.entries();
    return std::find(entries.begin(), entries.end(), std::pair(directory, name)) != entries.end();
  }
  void TearDown() override {
    if (stack_) stack().volume().listen(nullptr);
    VolumeTest::TearDown();
  }
  model::MountOptions without_readahead() {
    model::MountOptions options;
    options.prefetch = false;
    return options;
  }
  RecordingListener listener_;
};

TEST_F(ChangeTest, AnOpenFileIsOneVersion) {
  const std::string old = noise(3 * kBlock, 1), now = noise(3 * kBlock, 2);
  source().put("f", old, "v1");
  open(without_readahead());
  const NodeId id = id_of("f");
  const auto file = *stack().open_file(id);
  EXPECT_TRUE(file->keep_cache());
  EXPECT_EQ(*stack().read(*file, 0, 100), old.substr(0, 100));
  source().put("f", now, "v2");
  EXPECT_EQ(*stack().read(*file, 10, 100), old.substr(10, 100)) << "cached";
  EXPECT_EQ(stack().read(*file, 2 * kBlock, 100).error().code, Code::stale) << "not cached";
}

TEST_F(ChangeTest, AfterAStaleReadANewOpenSeesTheNewVersionAtOnce) {
  source().put("f", noise(3 * kBlock, 1), "v1");
  open(without_readahead());
  stack().volume().listen(&listener_);
  const NodeId id = id_of("f");
  const auto file = *stack().open_file(id);
  const std::string now = noise(kBlock, 2);
  source().put("f", now, "v2");
  EXPECT_EQ(stack().read(*file, 2 * kBlock, 100).error().code, Code::stale);
  await([&] { return told(kRootNode, "f"); });
  const NodeId next = id_of("f");
  EXPECT_NE(next, id);
  EXPECT_EQ(content(next), now);
}

TEST_F(ChangeTest, AReplacedFileKeepsItsAttributesWhileOpen) {
  source().put("f", "old", "v1");
  open();
  const NodeId id = id_of("f");
  auto file = *stack().open_file(id);
  source().put("f", "replaced", "v2");
  expire();
  ASSERT_NE(id_of("f"), id);
  const auto node = stack().attributes(id);
  ASSERT_TRUE(node.ok());
  EXPECT_EQ(node->attributes.size, 3U);
  EXPECT_EQ(node->attributes.id, id);
  EXPECT_TRUE(stack().open_file(id).ok()) << "as through /proc/self/fd";
  file.reset();
  EXPECT_EQ(stack().attributes(id).error().code, Code::stale);
  EXPECT_EQ(stack().open_file(id).error().code, Code::stale);
}

TEST_F(ChangeTest, ARemovedFileGoesOnWhileOpen) {
  source().put("f", "bytes", "v1");
  open();
  const NodeId id = id_of("f");
  const auto file = *stack().open_file(id);
  EXPECT_EQ(*stack().read(*file, 0, 10), "bytes");
  source().remove("f");
  expire();
  EXPECT_EQ(code_of("f"), Code::not_found);
  EXPECT_EQ(*stack().read(*file, 0, 10), "bytes");
  EXPECT_TRUE(stack().attributes(id).ok());
}

TEST_F(ChangeTest, ReopenGoesOnWithTheNewVersion) {
  const std::string now = noise(2 * kBlock, 2);
  source().put("f", noise(3 * kBlock, 1), "v1");
  auto options = without_readahead();
  options.on_change = "reopen";
  open(options);
  const auto file = *stack().open_file(id_of("f"));
  EXPECT_FALSE(file->keep_cache()) << "its pages may be of two versions";
  ASSERT_TRUE(stack().read(*file, 0, 100).ok());
  source().put("f", now, "v2");
  EXPECT_EQ(*stack().read(*file, kBlock, 100), now.substr(kBlock, 100));
  EXPECT_EQ(file->size(), now.size());
  EXPECT_EQ(*stack().read(*file, 0, 100), now.substr(0, 100));
  source().remove("f");
  EXPECT_EQ(stack().cache().trim(0).ok(), true);
}

TEST_F(ChangeTest, TheListenerHearsOfExactlyWhatChanged) {
  source().put("added-soon", "x", "v1");
  source().remove("added-soon");
  source().put("gone", "x", "v1");
  source().put("replaced", "x", "v1");
  source().put("same", "x", "v1");
  source().put_directory("mode");
  open();
  const NodeId mode = id_of("mode");
  stack().volume().listen(&listener_);
  source().put("added", "x", "v1");
  source().remove("gone");
  source().put("replaced", "y", "v2");
  source().change("mode", [](auto& file) { file.mode = 0700; });
  const auto report = stack().refresh();
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->failures, 0U);
  settle();
  auto entries = listener_.entries();
  std::sort(entries.begin(), entries.end());
  using Changed = std::vector<std::pair<NodeId, std::string>>;
  EXPECT_EQ(entries, (Changed{{kRootNode, "added"}, {kRootNode, "gone"}, {kRootNode, "replaced"}}));
  auto nodes = listener_.nodes();
  std::sort(nodes.begin(), nodes.end());
  EXPECT_EQ(nodes, (std::vector<NodeId>{kRootNode, mode})) << "other contents; other attributes";
}

TEST_F(ChangeTest, NothingIsToldOfAFirstListingOrAnUnchangedOne) {
  source().put_directory("d");
  source().put("d/f", "x", "v1");
  open();
  stack().volume().listen(&listener_);
  ASSERT_NE(id_of("d/f"), 0U);
  ASSERT_TRUE(stack().refresh().ok());
  settle();
  EXPECT_TRUE(listener_.entries().empty());
  EXPECT_TRUE(listener_.nodes().empty());
}

TEST_F(ChangeTest, RefreshChecksWhatWasUsedAndCountsFailures) {
  for (const std::string name : {"a", "b", "unused"}) {
    source().put_directory(name);
    source().put(name + "/f", "x", "v1");
  }
  open();
  ASSERT_NE(id_of("a/f"), 0U);
  ASSERT_NE(id_of("b/f"), 0U);
  source().put("a/new", "x", "v1");
  source().fail(Op::list, "b", Code::unreachable);
  const auto report = stack().refresh();
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->directories_checked, 2U);
  EXPECT_EQ(report->failures, 1U);
  EXPECT_GE(report->entries_changed, 1U);
  EXPECT_EQ(source().count(Op::list, "unused"), 0U);
  EXPECT_NE(id_of("a/new"), 0U) << "within the TTL, but refreshed";
}

TEST_F(ChangeTest, OpensOnlyFiles) {
  source().put_directory("d");
  source().put_symlink("l", "d");
  source().put("f", "", "v1");
  open();
  EXPECT_EQ(stack().open_file(id_of("d")).error().code, Code::is_directory);
  EXPECT_EQ(stack().open_file(id_of("l")).error().code, Code::invalid_argument);
  EXPECT_EQ(stack().list(id_of("f")).error().code, Code::not_directory);
  EXPECT_EQ(content(id_of("f")), "");
}

}  // namespace
}  // namespace lazyvol::testing
