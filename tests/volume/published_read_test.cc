// What a published volume shows.
#include "published_fixture.h"
#include "support/servers.h"

namespace lazyvol::testing {
namespace {

using PublishedRead = PublishedTest;

TEST_F(PublishedRead, ShowsWhatWasPublished) {
  origin_.put("bin/tool", noise(250'000, 1));
  origin_.put("bin/small", "hello\n");
  origin_.put("empty", "");
  origin_.put_directory("none");
  origin_.put_symlink("link", "bin/tool");
  origin_.link("bin/small", "hard");
  auto& tool = origin_.at("bin/tool");
  tool.mode = 04755;
  tool.uid = 12;
  tool.gid = 13;
  tool.mtime_ns = 1'600'000'000'123'456'789;
  tool.xattrs = {{"security.capability", std::string("\1\0\2", 3)}, {"user.note", ""}};
  origin_.publish();
  open();

  const auto node = stack().walk("bin/tool");
  ASSERT_TRUE(node.ok()) << node.error().message;
  const Attributes& shown = node->attributes;
  EXPECT_EQ(shown.id, origin_.id("bin/tool"));
  EXPECT_EQ(shown.mode, 04755U);
  EXPECT_EQ(shown.uid, 12U);
  EXPECT_EQ(shown.gid, 13U);
  EXPECT_EQ(shown.size, 250'000U);
  EXPECT_EQ(shown.nlink, 1U);
  EXPECT_EQ(shown.mtime_ns, 1'600'000'000'123'456'789);
  EXPECT_EQ(node->entry_ttl, std::chrono::hours(24));
  EXPECT_EQ(node->attribute_ttl, std::chrono::hours(24));
  EXPECT_EQ(stack().attributes(shown.id)->attributes.mode, 04755U);
  EXPECT_TRUE(content("bin/tool") == noise(250'000, 1));
  EXPECT_EQ(content("empty"), "");

  EXPECT_EQ(stack().walk("hard")->attributes.id, origin_.id("bin/small"));
  EXPECT_EQ(stack().walk("hard")->attributes.nlink, 2U);
  EXPECT_EQ(content("hard"), "hello\n");

  EXPECT_EQ(names(kRootNode), (std::vector<std::string>{"bin", "empty", "hard", "link", "none"}));
  EXPECT_EQ(names(origin_.id("none")), std::vector<std::string>{});
  Answer<std::string> target;
  stack().volume().readlink(origin_.id("link"), {}, target.done());
  EXPECT_EQ(target.get().value(), "bin/tool");
  Answer<std::vector<Xattr>> xattrs;
  stack().volume().xattrs(shown.id, {}, xattrs.done());
  EXPECT_EQ(
      xattrs.get().value(),
      (std::vector<Xattr>{{"security.capability", std::string("\1\0\2", 3)}, {"user.note", ""}}));
  Answer<Node> parent;
  stack().volume().parent_of(shown.id, {}, parent.done());
  EXPECT_EQ(parent.get()->attributes.id, origin_.id("bin"));
}

TEST_F(PublishedRead, ErrorsSayWhatIsWrong) {
  origin_.put("d/f", "x");
  origin_.publish();
  open();
  EXPECT_EQ(code_of("d/g"), Code::not_found);
  EXPECT_EQ(code_of("zzz"), Code::not_found);
  EXPECT_EQ(code_of(std::string(256, 'x')), Code::name_too_long);
  EXPECT_EQ(stack().attributes(999).error().code, Code::stale);
  EXPECT_EQ(stack().open_file(origin_.id("d")).error().code, Code::is_directory);
  EXPECT_EQ(stack().list(origin_.id("d/f")).error().code, Code::not_directory);
}

TEST_F(PublishedRead, AMountReadsTheHeadAlone) {
  for (int i = 0; i < 500; ++i) origin_.put("d/file" + std::to_string(i), "x");
  origin_.publish();
  open();
  EXPECT_EQ(gate_->count("lazyvol-head"), 1U);
  EXPECT_EQ(gate_->count("packs/"), 0U);
  EXPECT_EQ(stack().attributes(kRootNode)->attributes.type, NodeType::directory);
  EXPECT_EQ(gate_->count("packs/"), 0U);
  EXPECT_EQ(code_of("d/file7"), Code::busy);
  const auto asked = gate_->count("packs/");
  EXPECT_EQ(code_of("d/file7"), Code::busy);
  EXPECT_EQ(gate_->count("packs/"), asked) << "a second look asks nobody";
}

TEST_F(PublishedRead, ALargeDirectoryIsReadInParts) {
  constexpr int kNames = 20'000;
  std::vector<std::string> expected;
  for (int i = 0; i < kNames; ++i) {
    expected.push_back("name-" + std::to_string(i));
    origin_.put("big/" + expected.back(), "");
  }
  origin_.put("zlast", "x");
  origin_.publish();
  std::sort(expected.begin(), expected.end());
  open();
  const auto directory = stack().list(origin_.id("big"));
  ASSERT_TRUE(directory.ok());
  EXPECT_EQ((*directory)->parent(), kRootNode);
  // Anywhere first, without what lies before.
  const auto at = [&](std::uint64_t position) {
    std::string name;
    std::size_t shown = 0;
    Answer<int> answer;
    (*directory)
        ->read(
            position, {},
            [&](const Directory::Item& item) {
              if (++shown == 1) name = item.name;
              return shown < 3;
            },
            [done = answer.done()](const Status& status) { done(status.ok() ? 0 : 1); });
    EXPECT_EQ(answer.get().value(), 0);
    EXPECT_LE(shown, 3U);
    return name;
  };
  EXPECT_EQ(at(12'345), expected[12'345]);
  EXPECT_EQ(at(19'999), expected[19'999]);
  EXPECT_EQ(at(20'000), "");
  EXPECT_EQ(at(1'000'000), "");
  EXPECT_EQ(at(3), expected[3]);
  EXPECT_EQ(names(**directory), expected);
}

TEST_F(PublishedRead, AWalkFetchesManyLeavesAtOnce) {
  constexpr int kDirectories = 300, kNames = 20;
  const auto name = [](int d) { return "dir-" + std::to_string(1'000 + d); };  // in order
  for (int d = 0; d < kDirectories; ++d) {
    for (int i = 0; i < kNames; ++i) {
      origin_.put(name(d) + "/name-" + std::to_string(i), "");
    }
  }
  origin_.publish();
  open();
  std::size_t found = 0;
  for (int d = 0; d < kDirectories; ++d) {
    found += names(origin_.id(name(d))).size();
  }
  EXPECT_EQ(found, static_cast<std::size_t>(kDirectories) * kNames);
  const auto stats = published().frames;
  EXPECT_GT(stats.pages, 100U);
  EXPECT_LT(gate_->count("packs/"), stats.pages / 2);
}

TEST_F(PublishedRead, OptionsReplaceOwnersAndModes) {
  origin_.put("d/f", "x");
  origin_.publish();
  model::MountOptions options;
  options.uid = 77;
  options.gid = 78;
  options.file_mode = 0400;
  options.dir_mode = 0500;
  open(options);
  const auto file = stack().walk("d/f");
  EXPECT_EQ(file->attributes.uid, 77U);
  EXPECT_EQ(file->attributes.gid, 78U);
  EXPECT_EQ(file->attributes.mode, 0400U);
  EXPECT_EQ(stack().walk("d")->attributes.mode, 0500U);
  EXPECT_EQ(stack().attributes(kRootNode)->attributes.uid, 77U);
}

TEST_F(PublishedRead, ADirectoryOfTheVolumeCanBeMounted) {
  origin_.put("a/b/c/f", "deep");
  origin_.put("a/other", "x");
  origin_.at("a/b").mode = 0711;
  origin_.publish();
  model::MountOptions options;
  options.subdir = "a/b";
  open(options);
  EXPECT_EQ(names(kRootNode), std::vector<std::string>{"c"});
  EXPECT_EQ(stack().attributes(kRootNode)->attributes.id, kRootNode);
  EXPECT_EQ(stack().attributes(kRootNode)->attributes.mode, 0711U);
  EXPECT_EQ(content("c/f"), "deep");
  Answer<Node> parent;
  stack().volume().parent_of(origin_.id("a/b/c"), {}, parent.done());
  EXPECT_EQ(parent.get()->attributes.id, kRootNode);
  const auto root = stack().list(kRootNode);
  EXPECT_EQ((*root)->parent(), kRootNode);
  EXPECT_EQ((*stack().list(origin_.id("a/b/c")))->parent(), kRootNode);
  EXPECT_EQ(code_of("other"), Code::not_found);
}

TEST_F(PublishedRead, ASubdirThatIsNotThereIsRefused) {
  origin_.put("a/f", "x");
  origin_.publish();
  model::MountOptions options;
  options.subdir = "a/nothing";
  EXPECT_EQ(try_open(options).error().code, Code::not_found);
  options.subdir = "a/f";
  EXPECT_EQ(try_open(options).error().code, Code::not_directory);
}

TEST_F(PublishedRead, DamagedPagesAreErrorsAndHeal) {
  for (int i = 0; i < 300; ++i) origin_.put("d/file" + std::to_string(i), "x");
  origin_.publish();
  open();
  const auto heal = damage(true);
  const Code code = code_of("d/file7");
  EXPECT_EQ(code, Code::corrupt);
  EXPECT_EQ(to_errno(code), EIO);
  EXPECT_EQ(names(kRootNode), std::vector<std::string>{"read: corrupt"});
  EXPECT_GT(published().frames.corrupt, 0U);
  EXPECT_GT(stack().volume().stats().failures, 0U);
  heal();
  // Whoever failed a moment ago is not asked again at once; a later look is.
  ASSERT_TRUE(eventually([&] { return code_of("d/file7") == Code::busy; }));
  EXPECT_EQ(code_of("d/nothing"), Code::not_found);
}

TEST_F(PublishedRead, MissingPacksAreErrorsNeverAbsence) {
  for (int i = 0; i < 300; ++i) origin_.put("d/file" + std::to_string(i), "x");
  origin_.publish();
  open();
  gate_->fail("packs/", Code::not_found);
  EXPECT_EQ(code_of("d/file7"), Code::io_error);
  gate_->fail("packs/", Code::unreachable);
  ASSERT_TRUE(eventually([&] { return code_of("d/file7") == Code::unreachable; }));
  gate_->fail("packs/", std::nullopt);
  ASSERT_TRUE(eventually([&] { return code_of("d/file7") == Code::busy; }));
}

TEST_F(PublishedRead, DamagedContentLeavesOthersUnharmed) {
  origin_.put("large", noise(200'000, 1));
  origin_.publish();
  origin_.put("other", noise(200'000, 2));
  origin_.publish();
  open();
  EXPECT_EQ(code_of("large"), Code::busy);
  gate_->fail("packs/", Code::unreachable);
  EXPECT_EQ(content("large"), "read: unreachable");
  gate_->fail("packs/", std::nullopt);
  ASSERT_TRUE(eventually([&] { return content("large") == noise(200'000, 1); }));
  EXPECT_TRUE(content("other") == noise(200'000, 2));
}

TEST_F(PublishedRead, MirrorsHelp) {
  origin_.put("f", noise(100'000, 3));
  origin_.publish();
  std::filesystem::copy(dir_.path() / "volume", dir_.path() / "mirror",
                        std::filesystem::copy_options::recursive);
  model::MountOptions options;
  options.mirror = {(dir_.path() / "mirror").string()};
  gate_ = std::make_shared<GateSource>(source(url_));
  gate_->fail("", Code::unreachable);
  open(options);
  EXPECT_TRUE(content("f") == noise(100'000, 3));
}

TEST_F(PublishedRead, ThroughAWebServer) {
  for (int i = 0; i < 300; ++i) {
    origin_.put("d/file" + std::to_string(i), noise(static_cast<std::size_t>(i) * 100, 1));
  }
  origin_.put("large", noise(3'000'000, 5));
  origin_.publish();
  Nginx server(dir_.path() / "volume");
  url_ = server.url();
  open();
  EXPECT_TRUE(content("large") == noise(3'000'000, 5));
  for (int i = 0; i < 300; i += 7) {
    EXPECT_TRUE(content("d/file" + std::to_string(i)) ==
                noise(static_cast<std::size_t>(i) * 100, 1));
  }
  origin_.put("d/new", "new");
  origin_.publish();
  EXPECT_EQ(must_refresh().entries_changed, 1U);
  EXPECT_EQ(content("d/new"), "new");
}

}  // namespace
}  // namespace lazyvol::testing
