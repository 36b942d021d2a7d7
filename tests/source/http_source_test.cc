// What no real server does on demand: answers that are wrong, odd or hostile, written byte by byte.
#include <fmt/core.h>
#include <gmock/gmock.h>

#include <atomic>
#include <filesystem>
#include <mutex>

#include "net/scripted_server.h"
#include "source/calls.h"
#include "support/servers.h"
#include "support/temp_dir.h"

namespace lazyvol::source {
namespace {

using lazyvol::testing::Nginx;
using lazyvol::testing::NginxOptions;
using lazyvol::testing::TempDir;
using lazyvol::testing::write_file;
using net::ScriptedServer;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kModified = "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
constexpr const char* kVersion = "m:784111777-5";

std::string reply(const std::string& status, const std::string& headers, const std::string& body) {
  return fmt::format("HTTP/1.1 {}\r\n{}Content-Length: {}\r\nConnection: close\r\n\r\n{}", status,
                     headers, body.size(), body);
}

// A server and a source over it.
struct Scripted {
  explicit Scripted(std::function<std::string(const std::string&)> answer,
                    const std::string& path = "")
      : server(std::move(answer)), source(rig.open(server.url() + path)) {}
  explicit Scripted(const std::string& answer)
      : Scripted([answer](const std::string&) { return answer; }) {}

  ScriptedServer server;
  Rig rig;
  std::shared_ptr<Source> source;
};

std::optional<Code> read_code(const std::string& answer, const std::string& validator = kVersion) {
  Scripted scripted(answer);
  const auto outcome = read(*scripted.source, "f", validator, 1, 3);
  EXPECT_TRUE(outcome.status.ok() || outcome.bytes.empty());
  return code_of(outcome.status);
}

TEST(HttpRead, TheAnswerMustBeWhatWasAskedFor) {
  const auto part = [](const std::string& range, const std::string& more,
                       const std::string& body = "123") {
    return reply("206 Partial Content", "Content-Range: bytes " + range + "\r\n" + more, body);
  };
  EXPECT_EQ(read_code(part("1-3/5", kModified)), std::nullopt);
  EXPECT_EQ(read_code(reply("200 OK", kModified, "01234")), std::nullopt);
  EXPECT_EQ(read_code(part("0-2/5", kModified)), Code::io_error);
  EXPECT_EQ(read_code(part("1-2/5", kModified, "12")), Code::io_error);
  EXPECT_EQ(read_code(part("1-3/*", kModified)), Code::io_error);
  EXPECT_EQ(read_code(reply("206 Partial Content", kModified, "123")), Code::io_error);
  EXPECT_EQ(read_code(part("1-3/5", std::string(kModified) +
                                        "Content-Type: multipart/byteranges; boundary=x\r\n")),
            Code::io_error);
  EXPECT_EQ(read_code(part("1-3/5", std::string(kModified) + "Content-Encoding: gzip\r\n")),
            Code::io_error);
  EXPECT_EQ(read_code(reply("204 No Content", kModified, "")), Code::io_error);
}

TEST(HttpRead, AnotherVersionIsStaleBeforeAnyByte) {
  const std::string later = "Last-Modified: Sun, 06 Nov 1994 08:49:38 GMT\r\n";
  EXPECT_EQ(read_code(reply("200 OK", later, "01234")), Code::stale);
  EXPECT_EQ(read_code(reply("200 OK", kModified, "012345")), Code::stale);
  EXPECT_EQ(read_code(reply("200 OK", "", "01234")), Code::stale);
  EXPECT_EQ(read_code(reply("206 Partial Content",
                            "Content-Range: bytes 1-3/6\r\n" + std::string(kModified), "123")),
            Code::stale);
  EXPECT_EQ(read_code(reply("412 Precondition Failed", "", "no")), Code::stale);
  EXPECT_EQ(read_code(reply("416 Range Not Satisfiable", "Content-Range: bytes */0\r\n", "")),
            Code::stale);
  EXPECT_EQ(read_code(reply("200 OK", "ETag: \"new\"\r\n", "01234"), "e:5-old"), Code::stale);
  // The same second and size, but the tag says otherwise: what mtime alone would have missed.
  EXPECT_EQ(
      read_code(reply("200 OK", "ETag: \"new\"\r\n" + std::string(kModified), "01234"), "e:5-old"),
      Code::stale);
  EXPECT_EQ(
      read_code(reply("200 OK", "ETag: \"old\"\r\n" + std::string(kModified), "01234"), "e:5-old"),
      std::nullopt);
}

TEST(HttpRead, RefusalsKeepTheirMeaning) {
  EXPECT_EQ(read_code(reply("404 Not Found", "", "")), Code::not_found);
  EXPECT_EQ(read_code(reply("403 Forbidden", "", "")), Code::access_denied);
  EXPECT_EQ(read_code(reply("500 Internal Server Error", "", "")), Code::io_error);
  Scripted busy(reply("503 Service Unavailable", "Retry-After: 7\r\n", ""));
  const auto outcome = read(*busy.source, "f", kVersion, 0, 1);
  EXPECT_EQ(code_of(outcome.status), Code::throttled);
  EXPECT_EQ(outcome.status.error().retry_after, std::chrono::milliseconds(7000));
  EXPECT_EQ(busy.server.requests(), 1) << "a read is not retried";
}

TEST(HttpRead, ABrokenOffBodyIsNoSuccess) {
  Scripted cut("HTTP/1.1 200 OK\r\n" + std::string(kModified) +
               "Content-Length: 5\r\nConnection: close\r\n\r\n012");
  const auto outcome = read(*cut.source, "f", kVersion, 0, 5);
  EXPECT_EQ(code_of(outcome.status), Code::io_error);
  EXPECT_EQ(outcome.bytes, "012");
}

TEST(HttpRead, EveryRequestCarriesTheVersion) {
  std::mutex mutex;
  std::string seen;
  Scripted scripted([&](const std::string& request) {
    const std::lock_guard lock(mutex);
    seen = request;
    return reply("412 Precondition Failed", "", "");
  });
  const auto request_for = [&](const std::string& validator) {
    read(*scripted.source, "a b%/f", validator, 1, 3);
    const std::lock_guard lock(mutex);
    return seen;
  };
  EXPECT_THAT(request_for("e:5-tag"), HasSubstr("If-Match: \"tag\"\r\n"));
  EXPECT_THAT(request_for(kVersion),
              HasSubstr("If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n"));
  EXPECT_THAT(request_for("w:5-tag"), Not(HasSubstr("If-")));
  EXPECT_THAT(seen, HasSubstr("GET /a%20b%25/f HTTP/1.1\r\n"));
  EXPECT_THAT(seen, HasSubstr("Range: bytes=1-3\r\n"));
  EXPECT_THAT(seen, Not(HasSubstr("gzip")));
}

TEST(HttpStat, HeadRefusedOrWithoutALengthIsAskedWithGet) {
  for (const std::string head :
       {"405 Method Not Allowed", "501 Not Implemented", "400 Bad Request", "200 OK"}) {
    Scripted scripted([&](const std::string& request) {
      if (request.starts_with("HEAD")) return "HTTP/1.1 " + head + "\r\nConnection: close\r\n\r\n";
      EXPECT_THAT(request, HasSubstr("Range: bytes=0-0\r\n"));
      return reply("206 Partial Content", "Content-Range: bytes 0-0/5\r\n" + std::string(kModified),
                   "0");
    });
    const auto entry = stat(*scripted.source, "f");
    ASSERT_TRUE(entry.ok()) << entry.error().message;
    EXPECT_EQ(entry->size, 5U);
    EXPECT_EQ(entry->validator, kVersion);
    EXPECT_EQ(entry->mtime_ns, 784111777LL * 1'000'000'000);
  }
}

TEST(HttpStat, EmptyFileWhoseRangeCannotBeSatisfied) {
  Scripted scripted([](const std::string& request) {
    if (request.starts_with("HEAD")) return reply("405 Method Not Allowed", "", "");
    return reply("416 Range Not Satisfiable",
                 "Content-Range: bytes */0\r\n" + std::string(kModified), "");
  });
  const auto entry = stat(*scripted.source, "f");
  ASSERT_TRUE(entry.ok()) << entry.error().message;
  EXPECT_EQ(entry->size, 0U);
  EXPECT_EQ(entry->validator, "m:784111777-0");
}

TEST(HttpStat, NoLengthAnywhere) {
  Scripted scripted("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(code_of(stat(*scripted.source, "f")), Code::unsupported);
}

TEST(HttpStat, ARetryGetsThere) {
  std::atomic<int> requests = 0;
  Scripted scripted([&](const std::string&) {
    if (++requests < 3) return reply("502 Bad Gateway", "", "");
    return "HTTP/1.1 200 OK\r\n" + std::string(kModified) +
           "Content-Length: 5\r\nConnection: close\r\n\r\n";
  });
  EXPECT_EQ(stat(*scripted.source, "f")->size, 5U);
  EXPECT_EQ(requests, 3);
}

TEST(HttpList, WhatIsNoIndex) {
  Scripted html(
      reply("200 OK", "Content-Type: text/html\r\n", "<html><title>Hello</title></html>"));
  const auto listing = list(*html.source, "sub");
  EXPECT_EQ(code_of(listing), Code::corrupt);
  EXPECT_THAT(listing.error().message,
              HasSubstr("/sub/ is not a directory index (an HTML page titled \"Hello\")"));
  EXPECT_EQ(html.server.requests(), 1) << "what the page is will not change by asking again";
}

TEST(HttpList, ConditionalOnlyForAJsonFile) {
  const std::string row =
      R"([{"name":"f","type":"file","mtime":"Sun, 06 Nov 1994 08:49:37 GMT","size":5}])";
  Scripted json([&](const std::string& request) {
    if (request.find("If-None-Match: \"i1\"\r\n") != std::string::npos) {
      return std::string("HTTP/1.1 304 Not Modified\r\nETag: \"i1\"\r\nConnection: close\r\n\r\n");
    }
    return reply("200 OK", "Content-Type: application/json\r\nETag: \"i1\"\r\n", row);
  });
  const auto first = list(*json.source, "");
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(first->validator, "\"i1\"");
  const auto second = list(*json.source, "", {}, first->validator);
  ASSERT_TRUE(second.ok()) << second.error().message;
  EXPECT_TRUE(second->not_modified);
  EXPECT_EQ(second->validator, "\"i1\"");
  Scripted html(reply("200 OK",
                      "Content-Type: text/html\r\nETag: \"dir\"\r\n" + std::string(kModified),
                      "<html><title>Index of /</title></html>"));
  EXPECT_EQ(list(*html.source, "")->validator, "");
}

TEST(HttpList, AListingThatDisagreesWithItsFilesLeavesIdentityToStat) {
  const std::string row =
      R"([{"name":"f","type":"file","mtime":"Sun, 06 Nov 1994 08:49:37 GMT","size":5}])";
  Scripted scripted([&](const std::string& request) {
    if (request.starts_with("GET / "))
      return reply("200 OK", "Content-Type: application/json\r\n", row);
    return reply("200 OK", "ETag: \"more-than-time\"\r\n" + std::string(kModified), "01234");
  });
  EXPECT_EQ(find(*list(*scripted.source, ""), "f")->validator, kVersion);
  EXPECT_EQ(read(*scripted.source, "f", kVersion, 0, 5).bytes, "01234");
  const auto listing = list(*scripted.source, "");
  EXPECT_EQ(find(*listing, "f")->validator, "");
  EXPECT_EQ(find(*listing, "f")->token, kVersion);
}

TEST(HttpList, NamesResolveAgainstWhereTheListingCameFrom) {
  ScriptedServer elsewhere([](const std::string&) {
    return reply("200 OK", "Content-Type: text/html\r\n",
                 "<html><title>Index of /there</title><a href=\"/there/f\">f</a><a "
                 "href=\"/sub/g\">g</a></html>");
  });
  Scripted scripted([&](const std::string&) {
    return reply("302 Found", "Location: " + elsewhere.url() + "there/\r\n", "");
  });
  const auto listing = list(*scripted.source, "sub");
  ASSERT_TRUE(listing.ok()) << listing.error().message;
  ASSERT_EQ(listing->entries.size(), 1U);
  EXPECT_EQ(listing->entries[0].name, "f");
}

TEST(HttpList, ALargeIndexIsParsedAsideAndWhole) {
  std::string body = "[";
  for (int i = 0; i < 20'000; ++i) {
    body += fmt::format(
        R"({}{{"name":"f{}","type":"file","mtime":"Sun, 06 Nov 1994 08:49:37 GMT","size":{}}})",
        i == 0 ? "" : ",", i, i);
  }
  Scripted scripted(reply("200 OK", "Content-Type: application/json\r\n", body + "]"));
  const auto listing = list(*scripted.source, "");
  ASSERT_TRUE(listing.ok()) << listing.error().message;
  EXPECT_EQ(listing->entries.size(), 20'000U);
}

class SingleFile : public ::testing::Test {
 protected:
  SingleFile() {
    write_file(dir_.path() / "d/a b%.bin", "12345");
    write_file(dir_.path() / "d/other", "x");
  }
  TempDir dir_;
  Nginx nginx_{dir_.path()};
  Rig rig_;
};

TEST_F(SingleFile, IsARootWithOneEntry) {
  const auto source = rig_.open(nginx_.url() + "d/a%20b%25.bin");
  const auto listing = list(*source, "");
  ASSERT_TRUE(listing.ok()) << listing.error().message;
  ASSERT_EQ(listing->entries.size(), 1U);
  const RemoteEntry& entry = listing->entries[0];
  EXPECT_EQ(entry.name, "a b%.bin");
  EXPECT_EQ(entry.size, 5U);
  EXPECT_EQ(*stat(*source, "a b%.bin"), entry);
  EXPECT_EQ(stat(*source, "")->type, NodeType::directory);
  EXPECT_EQ(read(*source, "a b%.bin", entry.validator, 1, 3).bytes, "234");
  EXPECT_EQ(code_of(stat(*source, "other")), Code::not_found);
  EXPECT_EQ(code_of(read(*source, "other", {}, 0, 1).status), Code::not_found);
  EXPECT_EQ(code_of(list(*source, "a b%.bin")), Code::not_directory);
  EXPECT_EQ(code_of(stat(*source, "a b%.bin/x")), Code::not_directory);
}

TEST_F(SingleFile, ReadIsPossibleAsTheVeryFirstCall) {
  const auto source = rig_.open(nginx_.url() + "d/a%20b%25.bin");
  EXPECT_EQ(read(*source, "a b%.bin", {}, 0, 5).bytes, "12345");
}

TEST_F(SingleFile, ADirectoryWithoutItsSlash) {
  const auto source = rig_.open(nginx_.url() + "d");
  EXPECT_EQ(read(*source, "other", {}, 0, 5).bytes, "x");
  const auto listing = list(*source, "");
  ASSERT_TRUE(listing.ok()) << listing.error().message;
  EXPECT_EQ(listing->entries.size(), 2U);
}

TEST_F(SingleFile, AMissingOne) {
  const auto source = rig_.open(nginx_.url() + "d/no");
  EXPECT_EQ(code_of(list(*source, "")), Code::not_found);
  write_file(dir_.path() / "d/no", "now");
  EXPECT_EQ(list(*source, "")->entries.size(), 1U) << "a failure must not be remembered";
}

TEST(HttpRequests, AColdFileOfAnExactListingNeedsNoHead) {
  TempDir dir;
  write_file(dir.path() / "f", "12345");
  Nginx nginx(dir.path());
  Rig rig;
  const auto source = rig.open(nginx.url());
  const auto listing = list(*source, "");
  ASSERT_TRUE(listing.ok());
  EXPECT_EQ(read(*source, "f", find(*listing, "f")->validator, 0, 5).bytes, "12345");
  const auto log = nginx.access_log();
  ASSERT_EQ(log.size(), 2U);
  EXPECT_EQ(log[0].method + log[0].uri, "GET/");
  EXPECT_EQ(log[1].method + log[1].uri, "GET/f");
  EXPECT_EQ(log[1].status, 206);
}

class Secrets : public ::testing::Test {
 protected:
  Secrets() {
    write_file(dir_.path() / "tree/f", "12345");
    NginxOptions options;
    options.bearer_token = "right";
    nginx_.emplace(dir_.path() / "tree", options);
    set_token("wrong");
    options_.credentials = credentials_;
  }
  void set_token(const std::string& token) {
    const std::string next = credentials_ + ".next";
    write_file(next, "bearer-token = \"" + token + "\"\n");
    std::filesystem::permissions(next, std::filesystem::perms::owner_read);
    std::filesystem::rename(next, credentials_);
  }

  TempDir dir_;
  const std::string credentials_ = dir_.path() / "credentials.toml";
  std::optional<Nginx> nginx_;
  Rig rig_;
  model::MountOptions options_;
};

TEST_F(Secrets, ARefusedReadLooksAtTheCredentialsOnceMore) {
  const auto source = rig_.open(nginx_->url(), options_);
  EXPECT_EQ(code_of(read(*source, "f", {}, 0, 5).status), Code::access_denied);
  EXPECT_EQ(nginx_->access_log().size(), 1U);
  set_token("right");
  EXPECT_EQ(read(*source, "f", {}, 0, 5).bytes, "12345");
}

TEST_F(Secrets, SoDoListAndStat) {
  const auto source = rig_.open(nginx_->url(), options_);
  EXPECT_EQ(code_of(list(*source, "")), Code::access_denied);
  EXPECT_EQ(code_of(stat(*source, "f")), Code::access_denied);
  set_token("right");
  EXPECT_EQ(stat(*source, "f")->size, 5U);
  EXPECT_EQ(list(*source, "")->entries.size(), 1U);
}

TEST_F(Secrets, BrokenCredentialsAreSaidAtOnce) {
  model::MountOptions options;
  options.credentials = dir_.path() / "none.toml";
  const auto source =
      make_source(*model::parse_source_url(nginx_->url()), options, rig_.environment());
  EXPECT_EQ(code_of(source), Code::not_found);
}

}  // namespace
}  // namespace lazyvol::source
