#include "source/s3_error.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <utility>

#include "net/retry.h"
#include "net/xml_reader.h"
#include "source/http_date.h"
#include "source/paths.h"

namespace lazyvol::source {
namespace {

struct Meaning {
  std::string_view name;  // of S3's error code
  Code code;
  std::string_view hint;  // for people; may be empty
  bool keys_refused = false;
};

constexpr std::array<Meaning, 44> kMeanings = {{
    {"AccessDenied", Code::access_denied, "these keys may not do that, or there are none"},
    {"AllAccessDisabled", Code::access_denied, ""},
    {"AccountProblem", Code::access_denied, ""},
    {"InvalidAccessKeyId", Code::access_denied, "the access key is not known there", true},
    {"SignatureDoesNotMatch", Code::access_denied, "the secret access key is not the right one",
     true},
    {"InvalidToken", Code::access_denied, "the session token is not valid", true},
    {"ExpiredToken", Code::access_denied, "the session token has expired", true},
    {"TokenRefreshRequired", Code::access_denied, "the session token has expired", true},
    {"RequestExpired", Code::access_denied, "is the clock of this machine right?"},
    {"InvalidClientTokenId", Code::access_denied, "the access key is not known there", true},
    {"UnauthorizedAccess", Code::access_denied, "", true},
    {"NoSuchKey", Code::not_found, ""},
    {"NoSuchBucket", Code::not_found, "no such bucket"},
    {"NoSuchVersion", Code::not_found, ""},
    {"NoSuchUpload", Code::not_found, "the upload was ended by somebody else"},
    {"InvalidBucketName", Code::invalid_argument, "not a name for a bucket"},
    {"KeyTooLongError", Code::name_too_long, ""},
    {"PreconditionFailed", Code::stale, "the object has changed"},
    {"InvalidRange", Code::stale, "the object has another size"},
    {"SlowDown", Code::throttled, ""},
    {"ServiceUnavailable", Code::throttled, ""},
    {"Busy", Code::throttled, ""},
    {"Throttling", Code::throttled, ""},
    {"ThrottlingException", Code::throttled, ""},
    {"RequestLimitExceeded", Code::throttled, ""},
    {"BandwidthLimitExceeded", Code::throttled, ""},
    {"InternalError", Code::io_error, ""},
    {"RequestTimeout", Code::io_error, ""},
    {"IncompleteBody", Code::io_error, ""},
    {"InvalidObjectState", Code::unsupported,
     "the object is archived (Glacier): restore it before it can be read"},
    {"AuthorizationHeaderMalformed", Code::invalid_argument,
     "the bucket is in another region (option region)"},
    {"PermanentRedirect", Code::invalid_argument,
     "the bucket is elsewhere (options region and endpoint)"},
    {"TemporaryRedirect", Code::io_error, "the bucket is elsewhere for now"},
    {"NotImplemented", Code::unsupported, ""},
    {"ConditionalRequestConflict", Code::busy, "somebody else writes the object"},
    {"OperationAborted", Code::busy, "somebody else changes the bucket"},
    {"ConcurrentModification", Code::busy, "somebody else writes the object"},
    {"BadDigest", Code::io_error, "what arrived is not what was sent"},
    {"XAmzContentSHA256Mismatch", Code::io_error, "what arrived is not what was sent"},
    {"EntityTooLarge", Code::too_large, ""},
    {"EntityTooSmall", Code::invalid_argument, ""},
    {"QuotaExceeded", Code::no_space, "the bucket or its owner may hold no more"},
    {"XMinioStorageFull", Code::no_space, ""},
    {"MethodNotAllowed", Code::read_only, "the service does not let that be done there"},
}};

const Meaning* meaning_of(std::string_view code) {
  const auto* found = std::find_if(kMeanings.begin(), kMeanings.end(),
                                   [&](const Meaning& one) { return one.name == code; });
  return found == kMeanings.end() ? nullptr : found;
}

std::string text(const std::map<std::string, std::string>& texts, const char* name) {
  const auto found = texts.find(name);
  return found == texts.end() ? std::string() : found->second;
}

bool is_region(std::string_view text) {
  constexpr std::size_t kLongest = 64;
  return !text.empty() && text.size() <= kLongest &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
                  (c >= 'A' && c <= 'Z');
         });
}

std::optional<std::chrono::milliseconds> retry_after(const net::HttpHead& head,
                                                     std::int64_t now_s) {
  const auto* field = head.headers.find("retry-after");
  return field == nullptr ? std::nullopt : net::parse_retry_after(*field, now_s);
}

// The service's clock against ours: a signature holds for a quarter of an hour.
std::string clock_hint(const net::HttpHead& head, std::int64_t now_s) {
  const auto* date = head.headers.find("date");
  const auto theirs = date == nullptr ? std::nullopt : parse_http_date(*date);
  if (!theirs) return "the clock of this machine differs too much from the service's";
  const std::int64_t off = now_s - *theirs;
  return fmt::format("the clock of this machine is {} s {} the service's: set it", std::abs(off),
                     off < 0 ? "behind" : "ahead of");
}

// AWS calls the request invalid, Ceph the argument; a reader asks for nothing else about
// encryption.
bool is_sse_c(const std::string& code, const std::string& message) {
  return (code == "InvalidRequest" || code == "InvalidArgument") &&
         message.find("ncryption") != std::string::npos;
}

// Whether the outermost element is <Error>.
class RootReader : public net::XmlHandler {
 public:
  void start(std::string_view name) override {
    if (root_.empty()) root_ = name;
  }
  bool end(std::string_view, std::string_view) override { return true; }
  const std::string& root() const { return root_; }

 private:
  std::string root_;
};

}  // namespace

S3Refusal read_s3_refusal(const net::HttpHead& head, std::string_view page, std::string_view what,
                          std::int64_t now_s) {
  S3Refusal refusal;
  const auto parsed = net::xml_texts(page);
  const auto texts = parsed.ok() ? *parsed : std::map<std::string, std::string>();
  const std::string code = text(texts, "Code"), message = text(texts, "Message");

  const auto* region = head.headers.find("x-amz-bucket-region");
  refusal.region = region != nullptr ? *region : text(texts, "Region");
  if (!is_region(refusal.region)) refusal.region.clear();

  if (head.status < 400) {
    refusal.error = Error{Code::invalid_argument,
                          fmt::format("{}: HTTP {} {}: the bucket is elsewhere (options region and "
                                      "endpoint)",
                                      what, head.status, printable(code))};
    return refusal;
  }
  refusal.error = net::http_status_error(head.status, what, retry_after(head, now_s));
  if (code.empty()) {
    refusal.unexplained = head.status == 400 || head.status == 403;
    return refusal;
  }
  std::string hint = printable(message);
  if (code == "RequestTimeTooSkewed") {
    refusal.error.code = Code::access_denied;
    hint = clock_hint(head, now_s);
  } else if (is_sse_c(code, message)) {
    refusal.error.code = Code::unsupported;
    hint = "the object is encrypted with a customer's key (SSE-C), which lazyvol does not hold";
  } else if (const Meaning* meaning = meaning_of(code)) {
    refusal.error.code = meaning->code;
    refusal.keys_refused = meaning->keys_refused;
    if (!meaning->hint.empty()) hint = meaning->hint;
  } else if (head.status == 409) {
    refusal.error.code = Code::busy;
  }
  refusal.error.message =
      fmt::format("{}: {}{}{}", what, printable(code), hint.empty() ? "" : ": ", hint);
  if (refusal.error.code == Code::throttled) refusal.error.retry_after = retry_after(head, now_s);
  return refusal;
}

Status read_s3_late_refusal(std::string_view page, std::string_view what) {
  // Spaces keep the connection alive until it is done.
  page.remove_prefix(std::min(page.find_first_not_of(" \t\r\n"), page.size()));
  RootReader reader;
  const Status parsed = net::parse_xml(page, reader);
  const bool broken_off = !parsed.ok() && reader.root().empty();
  if (!broken_off && reader.root() != "Error") return {};
  if (broken_off) return Error{Code::io_error, fmt::format("{}: no answer came", what)};
  net::HttpHead head;
  head.status = 500;
  return read_s3_refusal(head, page, what, 0).error;
}

}  // namespace lazyvol::source
