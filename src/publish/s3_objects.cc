#include "publish/s3_objects.h"

#include <fmt/core.h>

#include <charconv>
#include <random>
#include <utility>

#include "model/source_url.h"
#include "net/sigv4.h"
#include "net/xml_reader.h"
#include "source/http_date.h"
#include "source/http_site.h"
#include "source/paths.h"
#include "source/s3_error.h"
#include "source/s3_listing.h"

namespace lazyvol::publish {
namespace {

using Method = net::HttpRequest::Method;

constexpr std::uint64_t kMaxAnswer = 64 * 1024;  // of requests that are answered in a few words
constexpr const char* kWriterField = "x-amz-meta-lazyvol-write";
// A service that gives nearly empty pages for ever is not waited for.
constexpr std::size_t kMaxPages = 1'000'000;

std::string field(const net::HttpHead& head, std::string_view name) {
  const std::string* found = head.headers.find(name);
  return found == nullptr ? std::string() : *found;
}

S3Object describe(const net::HttpHead& head) {
  S3Object object;
  const std::string length = field(head, "content-length");
  std::from_chars(length.data(), length.data() + length.size(), object.size);
  object.mtime_s = source::parse_http_date(field(head, "last-modified")).value_or(0);
  object.now_s = source::parse_http_date(field(head, "date")).value_or(source::local_now_s());
  object.etag = field(head, "etag");
  object.writer = field(head, kWriterField);
  return object;
}

std::string new_mark() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}{:08x}{:08x}", random(), random(), random(), random());
}

/// Whether `error` says that a condition did not hold. 404: of a tag, where nothing is.
bool is_refusal(const Error& error) {
  return error.code == Code::stale || error.code == Code::busy || error.code == Code::not_found;
}

Error taken(const source::S3Site& site, const std::string& key) {
  return {Code::busy, fmt::format("{}: '{}' was changed by somebody else meanwhile: publish again",
                                  site.address().display(), source::printable(key))};
}

}  // namespace

Result<std::optional<S3Object>> S3Objects::head(const std::string& key) const {
  auto answer = requests_.send(requests_.request(Method::head, site().object_url(key)), kMaxAnswer);
  if (answer.ok()) return std::optional(describe(answer->head));
  if (answer.error().code == Code::not_found) return std::optional<S3Object>();
  return std::move(answer).error();
}

Result<S3Content> S3Objects::get(const std::string& key, std::uint64_t offset,
                                 std::uint64_t limit) const {
  constexpr std::uint64_t kLast = INT64_MAX;
  if (offset >= kLast) return S3Content();
  auto request = requests_.request(Method::get, site().object_url(key));
  request.range = {offset, std::min(limit, kLast - offset)};
  auto answer = requests_.send(request, limit);
  // There was no condition, so this is 416: the range begins past the end.
  if (!answer.ok() && answer.error().code == Code::stale) return S3Content();
  if (!answer.ok()) return std::move(answer).error();
  constexpr int kPartial = 206;
  if (offset > 0 && answer->head.status != kPartial) {
    return Error{Code::unsupported,
                 site().address().display() + ": the service gives no parts of objects"};
  }
  return S3Content{describe(answer->head), std::move(answer->bytes)};
}

Status S3Objects::put(const std::string& key, std::shared_ptr<const net::Payload> payload,
                      std::string_view cache) const {
  auto request = requests_.request(Method::put, site().object_url(key));
  request.headers.emplace_back("Cache-Control", cache);
  request.payload = std::move(payload);
  auto answer = requests_.send(request, kMaxAnswer);
  if (!answer.ok()) return std::move(answer).error();
  return {};
}

Result<std::string> S3Objects::put_if(const std::string& key, std::string_view text,
                                      std::string_view cache, const S3Condition& condition) const {
  auto request = requests_.request(Method::put, site().object_url(key));
  const std::string mark = new_mark();
  request.headers.emplace_back("Cache-Control", cache);
  request.headers.emplace_back(kWriterField, mark);
  if (condition.etag.empty()) {
    request.headers.emplace_back("If-None-Match", "*");
  } else {
    request.headers.emplace_back("If-Match", condition.etag);
  }
  std::string& tag = request.headers.back().second;
  request.body = text;
  bool may_be_written = false;
  for (Patience patience = requests_.patience();;) {
    auto answer = requests_.send_once(request, kMaxAnswer);
    if (answer.ok()) return field(answer->head, "etag");
    if (is_refusal(answer.error())) {
      // Of a bucket that is not there: the error says more.
      if (condition.etag.empty() && answer.error().code == Code::not_found) return answer.error();
      LAZYVOL_TRY_ASSIGN(const auto present, head(key));
      if (may_be_written && present && present->writer == mark) return present->etag;
      const bool holds = present && !tag.empty() && present->etag == tag;
      if (!holds || !tag.starts_with('"')) return taken(site(), key);
      // Ceph compares with what it stores, which has no quotes.
      tag = tag.substr(1, tag.size() - 2);
      continue;
    }
    may_be_written = true;
    const auto delay = patience.after(answer.error());
    if (!delay) return std::move(answer).error();
    if (!requests_.pause(*delay)) return Error{Code::cancelled, "stopped"};
  }
}

Status S3Objects::touch(const std::string& key, std::string_view cache) const {
  auto request = requests_.request(Method::put, site().object_url(key));
  const std::string& bucket = site().address().bucket();
  request.headers.emplace_back("x-amz-copy-source",
                               "/" + bucket + "/" + model::percent_encode_path(key));
  // Nothing may be copied onto itself, unless something of it changes.
  request.headers.emplace_back("x-amz-metadata-directive", "REPLACE");
  request.headers.emplace_back("Cache-Control", cache);
  for (Patience patience = requests_.patience();;) {
    auto answer = requests_.send_once(request, kMaxAnswer);
    Status status;
    if (answer.ok()) {
      status = source::read_s3_late_refusal(answer->bytes, "copying " + source::printable(key));
    } else {
      status = std::move(answer).error();
    }
    if (status.ok()) return {};
    const auto delay = patience.after(status.error());
    if (!delay) return status;
    if (!requests_.pause(*delay)) return Error{Code::cancelled, "stopped"};
  }
}

net::HttpRequest S3Objects::remove_request(const std::string& key) const {
  return requests_.request(Method::del, site().object_url(key));
}

Status S3Objects::remove(const std::string& key) const {
  auto answer = requests_.send(remove_request(key), kMaxAnswer);
  if (answer.ok() || answer.error().code == Code::not_found) return {};
  return std::move(answer).error();
}

Status S3Objects::remove_once(const std::string& key) const {
  auto answer = requests_.send_once(remove_request(key), kMaxAnswer);
  if (answer.ok() || answer.error().code == Code::not_found) return {};
  return std::move(answer).error();
}

Result<std::vector<S3Listed>> S3Objects::list(const std::string& prefix, std::size_t limit) const {
  std::vector<S3Listed> result;
  std::string token;
  for (std::size_t pages = 0; pages < kMaxPages; ++pages) {
    net::Query query{{"list-type", "2"}, {"encoding-type", "url"}, {"prefix", prefix}};
    if (!token.empty()) query.emplace_back("continuation-token", token);
    const std::size_t keys = limit != 0 ? limit : site().page_keys();
    if (keys != 0) query.emplace_back("max-keys", std::to_string(keys));
    const auto request = requests_.request(Method::get, site().list_url(query));
    LAZYVOL_TRY_ASSIGN(const net::HttpBody answer, requests_.send(request, source::kMaxS3Page));
    auto page = source::parse_s3_page(answer.bytes);
    if (!page.ok()) return page.error().in(site().address().display());
    for (auto& object : page->objects) {
      if (!object.key.starts_with(prefix)) continue;
      result.push_back({std::move(object.key), object.size, object.mtime_s.value_or(0)});
    }
    if (page->next_token.empty() || (limit != 0 && result.size() >= limit)) return result;
    if (page->next_token == token) break;
    token = std::move(page->next_token);
  }
  return Error{Code::corrupt, site().address().display() + ": the service's pages have no end"};
}

}  // namespace lazyvol::publish
