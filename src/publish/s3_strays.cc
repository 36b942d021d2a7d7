#include "publish/s3_strays.h"

#include <utility>

#include "net/sigv4.h"
#include "publish/s3_uploads_page.h"
#include "source/http_date.h"
#include "source/http_site.h"
#include "source/s3_listing.h"

namespace lazyvol::publish {
namespace {

using Method = net::HttpRequest::Method;

constexpr std::size_t kMaxPages = 1000;

}  // namespace

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
