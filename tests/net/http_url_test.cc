#include "net/http_url.h"

#include <gtest/gtest.h>

#include "net/redact.h"

namespace lazyvol::net {
namespace {

TEST(ParseHttpUrl, FindsTheOrigin) {
  EXPECT_EQ(parse_http_url("http://Example.COM/a/../b%20c?x=1")->origin,
            (Origin{"http", "example.com", 80}));
  EXPECT_EQ(parse_http_url("http://Example.COM/a/../b%20c?x=1")->text,
            "http://Example.COM/a/../b%20c?x=1")
      << "nothing is normalised";
  EXPECT_EQ(parse_http_url("https://h/")->origin, (Origin{"https", "h", 443}));
  EXPECT_EQ(parse_http_url("https://[::1]:8443/")->origin, (Origin{"https", "[::1]", 8443}));
}

TEST(ParseHttpUrl, RefusesTheRest) {
  using namespace std::string_literals;
  for (const std::string& url : {"ftp://h/x"s, "file:///etc/passwd"s, "/x"s, ""s, "http://"s,
                                 "http://h/a b"s, "http://h/\0x"s, "http://h:99999/"s}) {
    const auto parsed = parse_http_url(url);
    ASSERT_FALSE(parsed.ok()) << url;
    EXPECT_EQ(parsed.error().code, Code::invalid_argument) << url;
  }
  const auto secret = parse_http_url("http://user:hunter2@h/x");
  ASSERT_FALSE(secret.ok());
  EXPECT_EQ(secret.error().message.find("hunter2"), std::string::npos) << secret.error().message;
}

TEST(ResolveRedirect, ResolvesAgainstTheBase) {
  const HttpUrl base = *parse_http_url("http://h:81/a/b?q=1");
  const struct {
    const char *location, *expected;
  } table[] = {{"c", "http://h:81/a/c"},
               {"/d/../e", "http://h:81/e"},
               {"?r=2", "http://h:81/a/b?r=2"},
               {"//other/x", "http://other/x"},
               {"https://h/x#frag", "https://h/x"},
               {"http://u:p@h/x", "http://h/x"},
               {"/with space/\xc3\xa9", "http://h:81/with%20space/%c3%a9"}};
  for (const auto& row : table) {
    const auto target = resolve_redirect(base, row.location);
    ASSERT_TRUE(target.ok()) << row.location << ": " << target.error().message;
    EXPECT_EQ(target->text, row.expected) << row.location;
  }
}

TEST(ResolveRedirect, RefusesOtherSchemesAndLossOfTls) {
  const HttpUrl http = *parse_http_url("http://h/");
  const HttpUrl https = *parse_http_url("https://h/");
  EXPECT_EQ(resolve_redirect(http, "ftp://h/x").error().code, Code::unsupported);
  EXPECT_EQ(resolve_redirect(http, "file:///etc/passwd").error().code, Code::unsupported);
  EXPECT_FALSE(resolve_redirect(http, "javascript:alert(1)").ok());
  EXPECT_EQ(resolve_redirect(https, "http://h/x").error().code, Code::access_denied);
  EXPECT_EQ(resolve_redirect(http, "http://[/").error().code, Code::io_error);
  EXPECT_EQ(resolve_redirect(http, std::string(20'000, 'x')).error().code, Code::io_error);
}

TEST(RedactUrl, HidesSecrets) {
  EXPECT_EQ(redact_url("https://h/a%20b"), "https://h/a%20b");
  EXPECT_EQ(redact_url("https://user:p@ss@h:1/a?sig=secret#f"), "https://h:1/a?\u2026");
  EXPECT_EQ(redact_url("https://h/a@b"), "https://h/a@b") << "no user information in a path";
  EXPECT_EQ(redact_url("https://h/a\nb"), "https://h/a?b");
  EXPECT_EQ(redact_url("https://h?x"), "https://h?\u2026");
  EXPECT_LT(redact_url("https://h/" + std::string(10'000, 'x')).size(), 520U);
  EXPECT_EQ(redact_url(""), "");
}

}  // namespace
}  // namespace lazyvol::net
