#include "git/submodules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "git/origin_world.h"

namespace lazyvol::git {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

TEST(Gitmodules, TellUrlsByPath) {
  const std::string output = std::string("submodule.a.b.path\nlib/x/") + '\0' +
                             "submodule.a.b.url\n../x.git" + '\0' + "submodule.half.path\nhalf" +
                             '\0' + "other.c.url\ny" + '\0' + "garbage";
  EXPECT_THAT(parse_gitmodules(output), ElementsAre(Pair("lib/x", "../x.git")));
}

TEST(SubmoduleUrl, IsResolvedAsGitDoesIt) {
  const std::pair<const char*, const char*> cases[] = {
      {"../other.git", "https://h/group/other.git"},
      {"../../other.git", "https://h/other.git"},
      {"./below", "https://h/group/project.git/below"},
      {"https://elsewhere/x", "https://elsewhere/x"},
      {"ssh://git@h/x", "ssh://git@h/x"},
      {"git@h:group/x.git", "git@h:group/x.git"},
  };
  for (const auto& [url, full] : cases) {
    const auto resolved = submodule_url("https://h/group/project.git", url);
    ASSERT_TRUE(resolved.ok()) << url;
    EXPECT_EQ(*resolved, full);
  }
  EXPECT_EQ(*submodule_url("file:///srv/p.git", "../x.git"), "file:///srv/x.git");
  EXPECT_EQ(*submodule_url("file:///srv/p.git", "/srv/y.git"), "file:///srv/y.git");
}

TEST(SubmoduleUrl, OfAnotherKindIsRefused) {
  for (const char* url :
       {"ext::sh -c id", "file:///etc", "/etc", "git://h/x", "-oProxyCommand=x", "ftp://h/x",
        "../../../../x", "https://u:p@h/x", "ssh://-oX/y", "x", ""}) {
    EXPECT_FALSE(submodule_url("https://h/group/project.git", url).ok()) << url;
  }
}

class Submodules : public ::testing::TestWithParam<OriginWorld::Way> {
 protected:
  OriginWorld world_{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Ways, Submodules,
                         ::testing::Values(OriginWorld::Way::http, OriginWorld::Way::file));

TEST_P(Submodules, AreShownBelowTheirDirectoriesAlsoNestedOnes) {
  auto& outer = world_.repository;
  testing::GitRepository middle, inner;
  const auto publish = [&](testing::GitRepository& repository, const char* name) {
    std::filesystem::create_directory_symlink(repository.bare(), outer.root() / name);
  };
  publish(middle, "middle.git");
  publish(inner, "inner.git");
  inner.put("deep", "deep bytes");
  const std::string inner_commit = inner.commit();
  middle.put("lib", "lib bytes");
  middle.put(".gitmodules", "[submodule \"i\"]\n\tpath = sub/inner\n\turl = ../inner.git\n");
  middle.git({"update-index", "--add", "--cacheinfo", "160000," + inner_commit + ",sub/inner"});
  std::filesystem::create_directories(middle.work() / "sub/inner");
  const std::string middle_commit = middle.commit();
  outer.put("top", "top bytes");
  outer.put(".gitmodules",
            "[submodule \"m\"]\n\tpath = m\n\turl = ../middle.git\n"
            "[submodule \"bad\"]\n\tpath = bad\n\turl = ext::sh\n");
  for (const char* path : {"m", "bad"}) {
    outer.git({"update-index", "--add", "--cacheinfo", "160000," + middle_commit + "," + path});
    std::filesystem::create_directories(outer.work() / path);
  }
  outer.commit();

  const auto plain = show(*world_.open(), world_.timer());
  ASSERT_TRUE(plain.ok()) << plain.error().message;
  EXPECT_EQ(plain->entries.size(), 4U);
  EXPECT_EQ(plain->entries.at("m").type, NodeType::directory);

  model::MountOptions options;
  options.submodules = true;
  auto origin = world_.open(options);
  ASSERT_TRUE(origin);
  const auto tree = show(*origin, world_.timer());
  ASSERT_TRUE(tree.ok()) << tree.error().message;
  EXPECT_EQ(tree->entries.size(), 9U);
  EXPECT_EQ(bytes_of(*origin, tree->entries.at("top")), "top bytes");
  EXPECT_EQ(bytes_of(*origin, tree->entries.at("m/lib")), "lib bytes");
  EXPECT_EQ(tree->entries.at("m/lib").size, 9U);
  origin.reset();
  origin = world_.open(options);
  ASSERT_TRUE(source::stat(*origin, "lazyvol-head").ok());
  EXPECT_EQ(bytes_of(*origin, tree->entries.at("m/sub/inner/deep")), "deep bytes");
}

}  // namespace
}  // namespace lazyvol::git
