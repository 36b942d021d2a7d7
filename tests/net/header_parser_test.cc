#include "net/header_parser.h"

#include <gtest/gtest.h>

#include <string>

namespace lazyvol::net {
namespace {

using Event = HeaderParser::Event;

std::string find(HeaderParser& parser, std::string_view name) {
  const auto* value = parser.head().headers.find(name);
  return value != nullptr ? *value : "(none)";
}

TEST(HeaderParser, ReadsAHead) {
  HeaderParser parser;
  EXPECT_EQ(parser.feed("HTTP/1.1 206 Partial Content\r\n"), Event::more);
  EXPECT_EQ(parser.feed("Content-Range: bytes 0-9/100\r\n"), Event::more);
  EXPECT_EQ(parser.feed("ETag:\t \"x\"  \r\n"), Event::more);
  EXPECT_EQ(parser.feed("X-Empty:\r\n"), Event::more);
  EXPECT_EQ(parser.feed("etag: second\n"), Event::more);
  EXPECT_EQ(parser.feed("\r\n"), Event::complete);
  EXPECT_TRUE(parser.complete());
  EXPECT_EQ(parser.head().status, 206);
  EXPECT_EQ(find(parser, "content-range"), "bytes 0-9/100");
  EXPECT_EQ(find(parser, "etag"), "\"x\"") << "the first of its name";
  EXPECT_EQ(find(parser, "x-empty"), "");
  EXPECT_EQ(find(parser, "absent"), "(none)");
}

TEST(HeaderParser, DropsInterimHeadsAndTrailers) {
  HeaderParser parser;
  parser.feed("HTTP/1.1 103 Early Hints\r\n");
  parser.feed("Link: </x>\r\n");
  EXPECT_EQ(parser.feed("\r\n"), Event::more);
  EXPECT_FALSE(parser.complete());
  parser.feed("HTTP/2 200 \r\n");
  parser.feed("a: b\r\n");
  EXPECT_EQ(parser.feed("\r\n"), Event::complete);
  EXPECT_EQ(find(parser, "link"), "(none)");
  EXPECT_EQ(parser.feed("trailer: t\r\n"), Event::more);
  EXPECT_EQ(parser.feed("\r\n"), Event::more) << "complete is reported once";
  EXPECT_EQ(find(parser, "trailer"), "(none)");
}

TEST(HeaderParser, JoinsFoldedLinesAndSkipsJunk) {
  HeaderParser parser;
  parser.feed("HTTP/1.1 200 OK\r\n");
  parser.feed("a: one\r\n");
  parser.feed("   two\r\n");
  parser.feed("\tthree\r\n");
  parser.feed("no colon here\r\n");
  parser.feed(": no name\r\n");
  parser.feed("b: z\r\n");
  EXPECT_EQ(parser.feed("\r\n"), Event::complete);
  EXPECT_EQ(find(parser, "a"), "one two three");
  EXPECT_EQ(find(parser, "b"), "z");
}

TEST(HeaderParser, RefusesWhatIsNoHead) {
  for (const char* line : {"HTTP/1.1\r\n", "HTTP/1.1 20\r\n", "HTTP/1.1 2x0 OK\r\n", "nonsense\r\n",
                           "\r\n", "a: b\r\n"}) {
    HeaderParser parser;
    EXPECT_EQ(parser.feed(line), Event::malformed) << line;
  }
}

TEST(HeaderParser, BoundsAllHeadsTogether) {
  HeaderParser parser;
  parser.feed("HTTP/1.1 100 Continue\r\n");
  const std::string line = "x: " + std::string(65536 - 5, 'y') + "\r\n";
  EXPECT_EQ(parser.feed(line), Event::more);
  EXPECT_EQ(parser.feed(line), Event::more);
  EXPECT_EQ(parser.feed("\r\n"), Event::more);
  EXPECT_EQ(parser.feed("HTTP/1.1 200 OK\r\n"), Event::more);
  EXPECT_EQ(parser.feed(line), Event::more);
  EXPECT_EQ(parser.feed(line), Event::too_large);
}

}  // namespace
}  // namespace lazyvol::net
