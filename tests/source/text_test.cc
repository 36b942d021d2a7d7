// Dates, paths and the carrying of raw bytes.
#include <gtest/gtest.h>

#include "lazyvol/entry.h"
#include "source/http_date.h"
#include "source/paths.h"
#include "source/raw_text.h"

namespace lazyvol::source {
namespace {

TEST(HttpDate, ThreeFormsOfOneMoment) {
  for (const char* text : {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
                           "Sun Nov  6 08:49:37 1994"}) {
    EXPECT_EQ(parse_http_date(text), 784111777) << text;
  }
  EXPECT_EQ(parse_http_date("Thu, 01 Jan 1970 00:00:00 GMT"), 0);
  EXPECT_EQ(parse_http_date("Wed, 31 Dec 1969 23:59:59 GMT"), -1);
}

TEST(HttpDate, RoundTrip) {
  for (const std::int64_t seconds : {0LL, 784111777LL, 1'600'000'000LL, 4'102'444'800LL, -1LL}) {
    EXPECT_EQ(parse_http_date(format_http_date(seconds)), seconds);
  }
  EXPECT_EQ(format_http_date(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
}

TEST(HttpDate, WhatIsNoDate) {
  for (const char* text :
       {"", "0", "Sun", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 6 Nov 1994", "Sun, 06 Foo 1994 08:49:37 GMT", "Sun, 32 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 0094 08:49:37 GMT", "-1"}) {
    EXPECT_EQ(parse_http_date(text), std::nullopt) << text;
  }
}

TEST(HttpDate, Rfc3339) {
  EXPECT_EQ(parse_rfc3339("1994-11-06T08:49:37Z"), 784111777);
  EXPECT_EQ(parse_rfc3339("1994-11-06T08:49:37.999999999Z"), 784111777);
  EXPECT_EQ(parse_rfc3339("1994-11-06T09:49:37+01:00"), 784111777);
  EXPECT_EQ(parse_rfc3339("1994-11-06T05:19:37-03:30"), 784111777);
  for (const char* text : {"", "1994-11-06", "1994-11-06T08:49:37", "1994-13-06T08:49:37Z",
                           "1994-11-06T08:49:37Zx", "1994-11-06 08:49:37Z"}) {
    EXPECT_EQ(parse_rfc3339(text), std::nullopt) << text;
  }
}

TEST(Paths, CheckPath) {
  for (const char* path : {"", "a", "a/b", "...", "a/.../b", " ", "a\\b", "\xff"}) {
    EXPECT_TRUE(check_path(path).ok()) << path;
  }
  for (const char* path : {"/", "/a", "a/", "a//b", ".", "..", "a/..", "../a", "a/./b"}) {
    EXPECT_EQ(check_path(path).error().code, Code::invalid_argument) << path;
  }
  std::string deep = "x";
  while (deep.size() <= kMaxPath) deep += "/x";
  EXPECT_EQ(check_path(deep).error().code, Code::name_too_long);
}

TEST(RawText, EveryByteComesBack) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes.push_back(static_cast<char>(i));
  std::string escaped;
  append_escaped(escaped, bytes);
  EXPECT_EQ(unescape_bytes(escaped), bytes);
  const std::string iterated(EscapingIterator(bytes.data()),
                             EscapingIterator(bytes.data() + bytes.size()));
  EXPECT_EQ(iterated, escaped);
}

TEST(RawText, WhatAParserMadeIsKept) {
  EXPECT_EQ(unescape_bytes("\u00e9\u20ac\U0001f600"), "\u00e9\u20ac\U0001f600");
  EXPECT_EQ(unescape_bytes("\xf4\x8f\xbe"), "\xf4\x8f\xbe");
}

TEST(RawText, PrintableIsOneShortLine) {
  EXPECT_EQ(printable("a\nb\xff\x7f"), "a?b??");
  EXPECT_EQ(printable(std::string(100, 'x')).size(), 83U);
}

}  // namespace
}  // namespace lazyvol::source
