// The parsers over real servers' pages (tests/fuzz/corpus) and over hostile ones.
#include "source/index_page.h"

#include <gmock/gmock.h>

#include <set>

#include "source/calls.h"
#include "support/temp_dir.h"

namespace lazyvol::source {
namespace {

using lazyvol::testing::read_file;
using ::testing::HasSubstr;

constexpr std::int64_t kNow = 1'795'368'300;  // 2026-11-22 17:25:00, after the pages' files
constexpr std::string_view kHtml = "text/html; charset=utf-8", kJson = "application/json";

std::string page(const std::string& name) {
  return read_file(std::string(LAZYVOL_CORPUS) + "/" + name);
}

std::set<std::string> names_of(const Listing& listing) {
  std::set<std::string> names;
  for (const auto& entry : listing.entries) names.insert(entry.name);
  EXPECT_EQ(names.size(), listing.entries.size());
  return names;
}

// The tree that the servers showed. What each leaves out is given by the test.
std::set<std::string> tree_without(const std::set<std::string>& left_out) {
  std::set<std::string> names = {"plain.txt",  "with space.txt",
                                 "50%.txt",    "a%20b",
                                 "plus+plus",  "amp&amp;.txt",
                                 "quote\"'s",  "<tag>",
                                 "uni-é€",     "latin-\xe9.bin",
                                 "semi;colon", "quest?ion",
                                 "hash#tag",   "colon:name",
                                 "?C=N;O=D",   "back\\slash",
                                 "tilde~",     std::string(200, 'x'),
                                 " lead",      "trail ",
                                 "new\nline",  "tab\ttab",
                                 ".hidden",    "http:",
                                 "index of",   "ctl\x01",
                                 "~user",      "empty",
                                 "big",        "sub dir",
                                 "emptydir",   "link",
                                 "dangling",   "dlink"};
  for (const auto& name : left_out) EXPECT_EQ(names.erase(name), 1U) << name;
  return names;
}

Result<Listing> parse(const std::string& name, std::string_view url = "http://h/") {
  const bool json = name.ends_with(".json");
  return parse_index(page(name), json ? kJson : kHtml, url, kNow);
}

void expect_tree(const std::string& name, const std::set<std::string>& left_out,
                 std::string_view url = "http://h/") {
  SCOPED_TRACE(name);
  const auto listing = parse(name, url);
  ASSERT_TRUE(listing.ok()) << listing.error().message;
  EXPECT_EQ(names_of(*listing), tree_without(left_out));
  EXPECT_EQ(listing->refused, 0U);
  for (const auto& entry : listing->entries) {
    const bool directory =
        entry.name == "sub dir" || entry.name == "emptydir" || entry.name == "dlink";
    EXPECT_EQ(entry.type, directory ? NodeType::directory : NodeType::file) << entry.name;
  }
}

TEST(IndexPage, EveryServersPageGivesTheSameTree) {
  expect_tree("nginx_json/awkward.json", {".hidden", "dangling"});
  expect_tree("caddy_json/awkward.json", {});
  expect_tree("html/nginx.html", {".hidden"});
  expect_tree("html/nginx_rounded.html", {".hidden"});
  expect_tree("html/apache_plain.html", {"dangling"});
  expect_tree("html/apache_fancy.html", {"dangling"}, "http://h/fancy/");
  expect_tree("html/apache_table.html", {"dangling"}, "http://h/table/");
  expect_tree("html/caddy.html", {});
  expect_tree("html/lighttpd.html", {".hidden", "dangling"});
}

TEST(IndexPage, PythonShowsForeignBytesAsSurrogates) {
  const auto listing = parse("html/python.html");
  ASSERT_TRUE(listing.ok()) << listing.error().message;
  auto expected = tree_without({"latin-\xe9.bin"});
  expected.insert("latin-\xed\xb3\xa9.bin");
  EXPECT_EQ(names_of(*listing), expected);
}

TEST(IndexPage, EmptyDirectories) {
  const std::pair<const char*, const char*> cases[] = {
      {"nginx_json/empty.json", "http://h/emptydir/"},
      {"caddy_json/empty.json", "http://h/emptydir/"},
      {"html/nginx_empty.html", "http://h/emptydir/"},
      {"html/apache_empty.html", "http://h/fancy/emptydir/"},
      {"html/python_empty.html", "http://h/emptydir/"}};
  for (const auto& [name, url] : cases) {
    const auto listing = parse(name, url);
    ASSERT_TRUE(listing.ok()) << name << ": " << listing.error().message;
    EXPECT_TRUE(listing->entries.empty()) << name;
  }
}

TEST(IndexPage, JsonRowsAreExact) {
  const auto listing = parse("nginx_json/awkward.json");
  ASSERT_TRUE(listing.ok());
  const RemoteEntry* big = find(*listing, "big");
  EXPECT_EQ(big->size, 1234567U);
  EXPECT_EQ(big->mtime_ns, 1'795'368'273LL * 1'000'000'000);
  EXPECT_EQ(big->validator, "m:1795368273-1234567");
  EXPECT_TRUE(big->settled);
  EXPECT_EQ(find(*listing, "empty")->size, 0U);
  EXPECT_EQ(find(*listing, "emptydir")->validator, "");
  const auto early =
      parse_index(page("nginx_json/awkward.json"), kJson, "http://h/", 1'795'368'274);
  EXPECT_FALSE(find(*early, "big")->settled);
  const auto caddy = parse("caddy_json/awkward.json");
  EXPECT_EQ(find(*caddy, "big")->validator, "m:1795368273-1234567");
  EXPECT_EQ(find(*caddy, "big")->mtime_ns, 1'795'368'273LL * 1'000'000'000);
  EXPECT_EQ(find(*caddy, "link")->validator, "") << "Caddy lists the link's own time";
}

TEST(IndexPage, HtmlRowsAreTokensOnly) {
  const std::pair<const char*, const char*> cases[] = {
      {"html/nginx.html", "22-Nov-2026 17:24 1234567"},
      {"html/nginx_rounded.html", "22-Nov-2026 17:24 1M"},
      {"html/lighttpd.html", "2026-Nov-22 17:24:33 1.1M application/octet-stream"},
      {"html/caddy.html", "1.2 MiB 11/22/2026 05:24:33 PM +00:00"},
      {"html/python.html", ""}};
  for (const auto& [name, token] : cases) {
    const auto listing = parse(name);
    ASSERT_TRUE(listing.ok()) << name;
    const RemoteEntry* big = find(*listing, "big");
    ASSERT_NE(big, nullptr);
    EXPECT_EQ(big->token, token) << name;
    EXPECT_EQ(big->size, std::nullopt);
    EXPECT_EQ(big->mtime_ns, std::nullopt);
    EXPECT_EQ(big->validator, "");
  }
  EXPECT_THAT(find(*parse("html/apache_fancy.html", "http://h/fancy/"), "big")->token,
              HasSubstr("2026-11-22 17:24 1.2M"));
  EXPECT_THAT(find(*parse("html/apache_table.html", "http://h/table/"), "big")->token,
              HasSubstr("2026-11-22 17:24 1.2M"));
}

TEST(IndexPage, HostileHtml) {
  const auto listing = parse("html/hostile.html", "http://h/pub/");
  ASSERT_TRUE(listing.ok()) << listing.error().message;
  EXPECT_EQ(names_of(*listing),
            (std::set<std::string>{"absolute", "dotted", "twice", "raw-ü€", "entityé&"}));
  EXPECT_EQ(listing->refused, 6U);
  EXPECT_EQ(find(*listing, "twice")->token, "01-Jan-2026 00:00 1");
}

TEST(IndexPage, HostileJson) {
  const auto nginx = parse("nginx_json/hostile.json");
  ASSERT_TRUE(nginx.ok()) << nginx.error().message;
  EXPECT_EQ(names_of(*nginx), (std::set<std::string>{"a", "big", "neg"}));
  EXPECT_EQ(nginx->refused, 3U);
  EXPECT_EQ(find(*nginx, "a")->validator, "m:784111777-1");
  EXPECT_EQ(find(*nginx, "big")->size, std::nullopt);
  EXPECT_EQ(find(*nginx, "neg")->size, std::nullopt);
  const auto caddy = parse("caddy_json/hostile.json", "http://h/d/");
  ASSERT_TRUE(caddy.ok()) << caddy.error().message;
  EXPECT_EQ(names_of(*caddy), (std::set<std::string>{"s"}));
  EXPECT_EQ(caddy->refused, 1U);
}

TEST(IndexPage, WhatIsNoIndexSaysSo) {
  struct Case {
    std::string body;
    std::string_view type;
    const char* why;
  };
  const Case cases[] = {
      {"<html><head><title>Welcome to nginx!</title></head><a href=\"x\">x</a></html>", kHtml,
       "an HTML page titled \"Welcome to nginx!\""},
      {"<html><a href=\"x\">x</a></html>", kHtml, "an HTML page without a title"},
      {"", kHtml, "an HTML page without a title"},
      {"<html><title>a\nb\x01\xff</title></html>", kHtml, "titled \"a b"},
      {"{}", kJson, "JSON of another shape"},
      {"1", kJson, "JSON of another shape"},
      {"[1]", kJson, "JSON of another shape"},
      {"[[]]", kJson, "JSON of another shape"},
      {"[{}]", kJson, "JSON of another shape"},
      {"[{\"name\":1,\"type\":\"file\"}]", kJson, "JSON of another shape"},
      {"[{\"name\":\"x\"}]", kJson, "JSON of another shape"},
      {"[{\"name\":\"x\",\"type\":\"file\"}", kJson, "broken JSON"},
      {"[{\"name\":\"x\",\"type\":\"file\"}] x", kJson, "broken JSON"},
      {"", kJson, "broken JSON"},
      {std::string("<html>\0", 7), kHtml, "binary data"},
      {"hello", "text/plain", "text/plain"},
      {"%PDF-1.4", "application/pdf", "application/pdf"},
      {"hello", "", "no content type"}};
  for (const Case& c : cases) {
    const auto listing = parse_index(c.body, c.type, "http://h/", kNow);
    ASSERT_FALSE(listing.ok()) << c.body;
    EXPECT_EQ(listing.error().code, Code::corrupt);
    EXPECT_THAT(listing.error().message, HasSubstr("is not a directory index ("));
    EXPECT_THAT(listing.error().message, HasSubstr(c.why));
  }
}

TEST(IndexPage, ACutPageProvesNothing) {
  for (const char* name :
       {"html/nginx.html", "html/apache_fancy.html", "html/caddy.html", "html/python.html",
        "nginx_json/awkward.json", "caddy_json/awkward.json"}) {
    const std::string whole = page(name);
    const bool json = std::string_view(name).ends_with(".json");
    for (std::size_t length = 0; length + 10 < whole.size(); length += 97) {
      EXPECT_FALSE(
          parse_index(whole.substr(0, length), json ? kJson : kHtml, "http://h/", kNow).ok())
          << name << " cut at " << length;
    }
  }
}

TEST(IndexPage, DepthAndSizeAreLimited) {
  std::string deep = "<html><title>Index of /</title>";
  for (int i = 0; i < 100'000; ++i) deep += "<b>";
  EXPECT_THAT(parse_index(deep + "</html>", kHtml, "http://h/", kNow).error().message,
              HasSubstr("nested too deeply"));
  std::string brackets(100'000, '[');
  EXPECT_FALSE(
      parse_index("[{\"name\":\"a\",\"type\":\"file\",\"x\":" + brackets, kJson, "http://h/", kNow)
          .ok());
}

TEST(IndexPage, ContentTypeMayBeMissingOrWrong) {
  EXPECT_TRUE(parse_index(page("nginx_json/nested.json"), "", "http://h/", kNow).ok());
  EXPECT_TRUE(parse_index(page("nginx_json/nested.json"), "text/plain", "http://h/", kNow).ok());
  EXPECT_TRUE(parse_index(page("html/nginx.html"), "", "http://h/", kNow).ok());
  EXPECT_TRUE(parse_index("\xef\xbb\xbf[]", kJson, "http://h/", kNow).ok());
}

}  // namespace
}  // namespace lazyvol::source
