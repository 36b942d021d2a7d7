#include "source/index_names.h"

#include <gtest/gtest.h>

namespace lazyvol::source {
namespace {

using Kind = ResolvedLink::Kind;

ResolvedLink resolve(std::string_view href, std::string_view url = "http://Host:80/a%20b/c/") {
  auto base = IndexBase::parse(url);
  EXPECT_TRUE(base.ok()) << url;
  return base->resolve(href);
}

TEST(IndexNames, ChildrenInEveryForm) {
  const std::pair<const char*, const char*> cases[] = {{"name", "name"},
                                                       {"./name", "name"},
                                                       {"././name", "name"},
                                                       {" name\n", "name"},
                                                       {"/a%20b/c/name", "name"},
                                                       {"/a b/%63/name", "name"},
                                                       {"//host:80/a%20b/c/name", "name"},
                                                       {"HTTP://HOST:80/a%20b/c/name", "name"},
                                                       {"50%25.txt", "50%.txt"},
                                                       {"a%2520b", "a%20b"},
                                                       {"plus+plus", "plus+plus"},
                                                       {"./http:", "http:"},
                                                       {"12:30", "12:30"},
                                                       {"%3FC=N", "?C=N"},
                                                       {"back%5Cslash", "back\\slash"},
                                                       {"...", "..."},
                                                       {"latin-%e9", "latin-\xe9"},
                                                       {"raw \xe9", "raw \xe9"}};
  for (const auto& [href, name] : cases) {
    const auto file = resolve(href);
    EXPECT_EQ(file.kind, Kind::child) << href;
    EXPECT_EQ(file.name, name);
    EXPECT_FALSE(file.directory);
    if (std::string_view(href).ends_with('\n')) continue;
    const auto directory = resolve(std::string(href) + "/");
    EXPECT_EQ(directory.kind, Kind::child) << href;
    EXPECT_EQ(directory.name, name);
    EXPECT_TRUE(directory.directory);
  }
}

TEST(IndexNames, EverythingElseIsSkippedWithoutAWord) {
  for (const char* href : {"",
                           " ",
                           ".",
                           "./",
                           "..",
                           "../",
                           "../c/name",
                           "/",
                           "/a%20b/",
                           "/a%20b/c/",
                           "/a%20b/c",
                           "/x/c/n",
                           "/a%20b",
                           "deep/er",
                           "deep/er/",
                           "a//",
                           "a/./",
                           "?C=N;O=D",
                           "name?x",
                           "#top",
                           "name#x",
                           "//host:80",
                           "//other/a%20b/c/name",
                           "https://host:80/a%20b/c/name",
                           "http://host/a%20b/c/name",
                           "http:name",
                           "mailto:x",
                           "javascript:void(0)",
                           "/a%2520b/c/name",
                           "/a%zzb/c/name"}) {
    EXPECT_EQ(resolve(href).kind, Kind::elsewhere) << href;
  }
}

TEST(IndexNames, WhatIsMeantAsAChildAndIsNoName) {
  for (const std::string& href :
       {std::string("%2e%2e"), std::string("%2E%2E/"), std::string("%2e"), std::string("a%2Fb"),
        std::string("%2f"), std::string("..%2f"), std::string("%00"), std::string("x%00y"),
        std::string("%"), std::string("%4"), std::string("%zz"), std::string(256, 'x')}) {
    EXPECT_EQ(resolve(href).kind, Kind::refused) << href;
  }
}

TEST(IndexNames, BaseMustBeADirectory) {
  for (const char* url :
       {"", "/", "name/", "http:", "http://host", "http://host/a", "http:///%zz/"}) {
    EXPECT_FALSE(IndexBase::parse(url).ok()) << url;
  }
  EXPECT_EQ(resolve("/name", "http://h/").name, "name");
  EXPECT_EQ(resolve("/d/name", "http://h/d/?query").name, "name");
}

TEST(IndexNames, CollectorKeepsTheFirstAndTheTokenOfItsTwin) {
  EntryCollector collector;
  const auto add = [&](std::string name, std::string token, NodeType type = NodeType::file) {
    RemoteEntry entry;
    entry.name = std::move(name);
    entry.token = std::move(token);
    entry.type = type;
    EXPECT_TRUE(collector.add(std::move(entry)));
  };
  add("b", "");
  add("b", "icon and name were both links");
  add("a", "1");
  add("b", "late");
  add("a", "2", NodeType::directory);
  add("..", "");
  add("x/y", "");
  const Listing listing = std::move(collector).finish();
  ASSERT_EQ(listing.entries.size(), 2U);
  EXPECT_EQ(listing.entries[0].name, "a");
  EXPECT_EQ(listing.entries[0].type, NodeType::file);
  EXPECT_EQ(listing.entries[1].token, "icon and name were both links");
  EXPECT_EQ(listing.refused, 2U);
}

}  // namespace
}  // namespace lazyvol::source
