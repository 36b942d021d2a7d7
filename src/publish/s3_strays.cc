#include "publish/s3_strays.h"

#include <utility>

#include "net/sigv4.h"
#include "net/xml_reader.h"
#include "source/http_date.h"
#include "source/http_site.h"
#include "source/s3_listing.h"

namespace lazyvol::publish {
namespace {

using Method = net::HttpRequest::Method;

constexpr std::size_t kMaxPages = 1000;

class PageReader : public net::XmlHandler {
 public:
  void start(std::string_view name) override {
    path_.emplace_back(name);
    if (path_.size() == 2 && name == "Upload") upload_ = {};
  }

  bool end(std::string_view name, std::string_view text) override {
    bool fits = true;
    if (path_.size() == 1) is_page_ = name == "ListMultipartUploadsResult";
    if (path_.size() == 2) fits = end_field(name, text);
    if (path_.size() == 3 && path_[1] == "Upload") {
      if (name == "Key") upload_.key = text;
      if (name == "UploadId") upload_.id = text;
      if (name == "Initiated") upload_.begun_s = source::parse_rfc3339(text);
    }
    path_.pop_back();
    return fits;
  }

  std::optional<S3UploadsPage> finish() && {
    if (!is_page_ || (truncated_ && page_.next_key.empty())) return std::nullopt;
    if (!truncated_) page_.next_key = page_.next_id = {};
    return std::move(page_);
  }

 private:
  bool end_field(std::string_view name, std::string_view text) {
    if (name == "IsTruncated") truncated_ = text == "true";
    if (name == "NextKeyMarker") page_.next_key = text;
    if (name == "NextUploadIdMarker") page_.next_id = text;
    if (name != "Upload") return true;
    const bool whole = !upload_.key.empty() && !upload_.id.empty();
    page_.uploads.push_back(std::move(upload_));
    return whole;
  }

  std::vector<std::string> path_;  // of the open elements
  S3UploadsPage page_;
  S3UploadsPage::Upload upload_;
  bool is_page_ = false, truncated_ = false;
};

}  // namespace

Result<S3UploadsPage> parse_s3_uploads(std::string_view document) {
  PageReader reader;
  const Status parsed = net::parse_xml(document, reader);
  if (parsed.ok()) {
    if (auto page = std::move(reader).finish()) return *std::move(page);
  }
  return Error{Code::corrupt, "is no answer to ListMultipartUploads"};
}

Result<std::size_t> abort_stray_uploads(const S3Objects& objects, const std::string& prefix,
                                        std::chrono::seconds age) {
  const S3Requests& requests = objects.requests();
  std::size_t aborted = 0;
  S3UploadsPage page;
  for (std::size_t pages = 0; pages < kMaxPages; ++pages) {
    net::Query query{{"uploads", ""}, {"prefix", prefix}};
    if (!page.next_key.empty()) query.emplace_back("key-marker", page.next_key);
    if (!page.next_id.empty()) query.emplace_back("upload-id-marker", page.next_id);
    const auto listing = requests.request(Method::get, objects.site().list_url(query));
    LAZYVOL_TRY_ASSIGN(const net::HttpBody answer, requests.send(listing, source::kMaxS3Page));
    LAZYVOL_TRY_ASSIGN(page, parse_s3_uploads(answer.bytes));
    const std::string* date = answer.head.headers.find("date");
    const auto theirs = date == nullptr ? std::nullopt : source::parse_http_date(*date);
    const std::int64_t before = theirs.value_or(source::local_now_s()) - age.count();
    for (const auto& upload : page.uploads) {
      if (!upload.key.starts_with(prefix) || !upload.begun_s || *upload.begun_s > before) continue;
      const auto request = requests.request(
          Method::del, objects.site().object_url(upload.key, {{"uploadId", upload.id}}));
      const auto done = requests.send(request, source::kMaxS3Page);
      if (!done.ok() && done.error().code != Code::not_found) return done.error();
      ++aborted;
    }
    if (page.next_key.empty()) break;
  }
  return aborted;
}

}  // namespace lazyvol::publish
