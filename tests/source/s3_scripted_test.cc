// What an S3 service says only when something is wrong, written byte by byte.
#include <fmt/core.h>
#include <gmock/gmock.h>

#include <ctime>

#include "base/locked.h"
#include "net/scripted_server.h"
#include "source/http_date.h"
#include "source/s3_support.h"

namespace lazyvol::source {
namespace {

using net::ScriptedServer;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string reply(const std::string& status, const std::string& headers, const std::string& body) {
  return fmt::format("HTTP/1.1 {}\r\n{}Content-Length: {}\r\nConnection: close\r\n\r\n{}", status,
                     headers, body.size(), body);
}

std::string refusal(const std::string& status, const std::string& code,
                    const std::string& message = "why", const std::string& headers = "",
                    const std::string& more = "") {
  return reply(status, headers,
               fmt::format("<?xml version=\"1.0\"?>\n<Error><Code>{}</Code><Message>{}</Message>{}"
                           "<RequestId>hunter2</RequestId></Error>",
                           code, message, more));
}

std::string page(const std::string& rows) {
  return reply(
      "200 OK", "",
      "<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>" + rows +
          "</ListBucketResult>");
}

// A service, and a source over it with keys.
struct Scripted {
  explicit Scripted(std::function<std::string(const std::string&)> answer,
                    model::MountOptions options = {})
      : server([this, answer = std::move(answer)](const std::string& request) {
          seen.lock()->push_back(request);
          return answer(request);
        }) {
    options.endpoint = server.url();
    options.io_retries = 0;
    source = open_s3(rig, "s3://bucket/top", options, {aws_keys("ID", "hunter2"), 0});
  }
  explicit Scripted(const std::string& answer)
      : Scripted([answer](const std::string&) { return answer; }) {}

  std::string request(std::size_t number) const { return seen.lock()->at(number); }

  base::Locked<std::vector<std::string>> seen;
  ScriptedServer server;
  Rig rig;
  std::shared_ptr<Source> source;
};

TEST(S3Refusals, KeepTheirMeaning) {
  const struct {
    const char *status, *code;
    Code expected;
    const char* hint;
  } table[] = {
      {"404 Not Found", "NoSuchBucket", Code::not_found, "no such bucket"},
      {"403 Forbidden", "AccessDenied", Code::access_denied, "AccessDenied"},
      {"403 Forbidden", "InvalidAccessKeyId", Code::access_denied, "not known"},
      {"403 Forbidden", "SignatureDoesNotMatch", Code::access_denied, "secret access key"},
      {"400 Bad Request", "ExpiredToken", Code::access_denied, "expired"},
      {"400 Bad Request", "RequestTimeout", Code::io_error, "RequestTimeout"},
      {"400 Bad Request", "AuthorizationHeaderMalformed", Code::invalid_argument, "region"},
      {"301 Moved Permanently", "PermanentRedirect", Code::invalid_argument, "region"},
      {"400 Bad Request", "KeyTooLongError", Code::name_too_long, ""},
      {"403 Forbidden", "InvalidObjectState", Code::unsupported, "Glacier"},
      {"500 Internal Server Error", "InternalError", Code::io_error, ""},
      {"503 Slow Down", "SlowDown", Code::throttled, "SlowDown"},
      {"418 Teapot", "SomethingNew", Code::invalid_argument, "SomethingNew: why"},
  };
  for (const auto& row : table) {
    Scripted scripted(refusal(row.status, row.code));
    const auto outcome = read(*scripted.source, "f", "e:5-x", 0, 5);
    EXPECT_EQ(code_of(outcome.status), row.expected) << row.code;
    EXPECT_THAT(outcome.status.error().message,
                AllOf(HasSubstr(row.hint), Not(HasSubstr("hunter2")), Not(HasSubstr("\n"))));
    EXPECT_EQ(scripted.server.requests(), 1) << row.code;
    EXPECT_EQ(code_of(list(*scripted.source, "")), row.expected) << row.code;
  }
}

TEST(S3Refusals, AChangedObjectIsStale) {
  Scripted scripted(refusal("412 Precondition Failed", "PreconditionFailed"));
  EXPECT_EQ(code_of(read(*scripted.source, "f", "e:5-x", 0, 5).status), Code::stale);
  EXPECT_THAT(scripted.request(0), HasSubstr("If-Match: \"x\"\r\n"));
}

TEST(S3Refusals, PatienceIsPassedOn) {
  Scripted scripted(refusal("503 Slow Down", "SlowDown", "why", "Retry-After: 7\r\n"));
  const auto outcome = read(*scripted.source, "f", "e:5-x", 0, 5);
  EXPECT_EQ(outcome.status.error().retry_after, std::chrono::milliseconds(7000));
}

TEST(S3Refusals, AWrongClockIsNamed) {
  const std::string date = format_http_date(std::time(nullptr) + 3600);
  Scripted scripted(
      refusal("403 Forbidden", "RequestTimeTooSkewed", "why", "Date: " + date + "\r\n"));
  const auto outcome = list(*scripted.source, "");
  EXPECT_EQ(code_of(outcome), Code::access_denied);
  EXPECT_THAT(outcome.error().message, HasSubstr("the clock of this machine is 3"));
  EXPECT_THAT(outcome.error().message, HasSubstr("behind the service's"));
}

TEST(S3Refusals, AHeadWithoutReasonIsExplainedByAGet) {
  const auto is_head = [](const std::string& request) { return request.starts_with("HEAD"); };
  Scripted scripted([&](const std::string& request) {
    if (request.find("list-type=2") != std::string::npos) return page("");
    if (is_head(request))
      return std::string("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
    EXPECT_THAT(request, HasSubstr("Range: bytes=0-0\r\n"));
    return refusal("400 Bad Request", "InvalidRequest",
                   "The object was stored using a form of Server Side Encryption.");
  });
  const auto entry = stat(*scripted.source, "f");
  EXPECT_EQ(code_of(entry), Code::unsupported);
  EXPECT_THAT(entry.error().message, HasSubstr("SSE-C"));
  EXPECT_EQ(scripted.server.requests(), 3);
}

TEST(S3Stat, WithoutPermissionToListAbsenceIsNotProved) {
  Scripted scripted([&](const std::string& request) {
    if (request.find("list-type=2") != std::string::npos) {
      return refusal("403 Forbidden", "AccessDenied");
    }
    if (request.find("/there") == std::string::npos) {
      return std::string("HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n");
    }
    return std::string(
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: \"tag\"\r\nLast-Modified: Sun, 06 Nov 1994 "
        "08:49:37 GMT\r\nConnection: close\r\n\r\n");
  });
  EXPECT_EQ(code_of(stat(*scripted.source, "missing")), Code::access_denied);
  const auto entry = stat(*scripted.source, "there");
  ASSERT_TRUE(entry.ok()) << entry.error().message;
  EXPECT_EQ(entry->validator, "e:5-tag");
  EXPECT_TRUE(entry->settled);
}

TEST(S3Region, IsSwitchedOnceAsTheServiceSays) {
  const auto answer = [](const std::string& request) {
    if (request.find("/eu-west-3/s3/aws4_request") != std::string::npos) {
      return page("<Contents><Key>top/f</Key><Size>1</Size></Contents>");
    }
    return refusal("400 Bad Request", "AuthorizationHeaderMalformed", "why", "",
                   "<Region>eu-west-3</Region>");
  };
  Scripted scripted(answer);
  EXPECT_TRUE(list(*scripted.source, "").ok());
  EXPECT_EQ(scripted.server.requests(), 2);
  EXPECT_TRUE(list(*scripted.source, "").ok());
  EXPECT_EQ(scripted.server.requests(), 3) << "remembered";

  Scripted permanent([&](const std::string& request) {
    return request.find("/eu-west-3/s3/") != std::string::npos
               ? answer(request)
               : refusal("301 Moved Permanently", "PermanentRedirect", "why",
                         "x-amz-bucket-region: eu-west-3\r\nLocation: http://127.0.0.1:1/\r\n");
  });
  EXPECT_TRUE(list(*permanent.source, "").ok());

  int moves = 0;
  Scripted circle([&](const std::string&) {
    return refusal("301 Moved Permanently", "PermanentRedirect", "why",
                   fmt::format("x-amz-bucket-region: region-{}\r\n", ++moves));
  });
  EXPECT_EQ(code_of(list(*circle.source, "")), Code::invalid_argument);
  EXPECT_EQ(circle.server.requests(), 2);
}

TEST(S3Requests, SayWhoPays) {
  model::MountOptions options;
  options.requester_pays = true;
  Scripted scripted([](const std::string&) { return refusal("403 Forbidden", "AccessDenied"); },
                    options);
  (void)list(*scripted.source, "");
  (void)read(*scripted.source, "f", "e:5-x", 0, 5);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_THAT(scripted.request(i), HasSubstr("x-amz-request-payer: requester\r\n"));
    EXPECT_THAT(scripted.request(i), HasSubstr(";x-amz-request-payer,"));
  }
}

TEST(S3Requests, OtherCredentialsAreNotSentBesideTheSignature) {
  Scripted scripted(page(""));
  (void)list(*scripted.source, "");
  EXPECT_THAT(scripted.request(0), HasSubstr("Authorization: AWS4-HMAC-SHA256 Credential=ID/"));
  EXPECT_THAT(scripted.request(0), Not(HasSubstr("Basic")));
}

TEST(S3Listing, PagesWithoutEndAreGivenUp) {
  Scripted scripted(
      reply("200 OK", "",
            "<ListBucketResult><IsTruncated>true</IsTruncated>"
            "<NextContinuationToken>again</NextContinuationToken></ListBucketResult>"));
  EXPECT_EQ(code_of(list(*scripted.source, "")), Code::corrupt);
  EXPECT_EQ(scripted.server.requests(), 2);
}

TEST(S3Listing, SomethingElseProvesNoAbsence) {
  for (const std::string& body : {std::string("<html><body>Welcome</body></html>"), std::string(),
                                  std::string("<ListBucketResult><IsTruncated>false")}) {
    Scripted scripted(reply("200 OK", "", body));
    EXPECT_EQ(code_of(list(*scripted.source, "")), Code::corrupt) << body;
    EXPECT_EQ(code_of(stat(*scripted.source, "f")), Code::corrupt) << body;
  }
}

}  // namespace
}  // namespace lazyvol::source
