#include "publish/s3_uploads_page.h"

#include <utility>

#include "net/xml_reader.h"
#include "source/http_date.h"

namespace lazyvol::publish {
namespace {

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

}  // namespace lazyvol::publish
