#include "source/s3_address.h"

#include <fmt/core.h>

#include <utility>

#include "net/http_url.h"

namespace lazyvol::source {
namespace {

Error bad_endpoint(std::string_view why) {
  return Error{Code::invalid_argument, fmt::format("option 'endpoint': {}", why)};
}

// "https://host:port" and "/path" of the option.
Result<std::pair<std::string, std::string>> split_endpoint(std::string text) {
  while (text.ends_with('/')) text.pop_back();
  const std::size_t scheme = text.find("://");
  if (scheme == std::string::npos) return bad_endpoint("must begin with https:// or http://");
  if (text.find_first_of("?#@") != std::string::npos) {
    return bad_endpoint("must be the URL of a server, without user, query or fragment");
  }
  const auto parsed = net::parse_http_url(text + "/");
  if (!parsed.ok()) return bad_endpoint("must be the http or https URL of a server");
  const std::size_t slash = std::min(text.find('/', scheme + 3), text.size());
  return std::pair(text.substr(0, slash), text.substr(slash));
}

}  // namespace

Result<S3Address> S3Address::make(const model::SourceUrl& url, const model::MountOptions& options) {
  S3Address address;
  address.bucket_ = url.authority;
  address.shown_ = url.canonical();
  LAZYVOL_TRY_ASSIGN(address.prefix_, model::percent_decode(url.path.substr(1)));
  if (address.prefix_.size() > kMaxS3Key) {
    return Error{Code::invalid_argument, "the prefix in SOURCE is longer than any S3 key"};
  }
  if (!options.endpoint.empty()) {
    LAZYVOL_TRY_ASSIGN(auto parts, split_endpoint(options.endpoint));
    address.endpoint_ = std::move(parts.first);
    address.endpoint_path_ = std::move(parts.second);
  }
  // A dot in the bucket's name would be a dot too many for the certificate of *.s3.….
  const bool dotted = address.bucket_.find('.') != std::string::npos;
  address.path_style_ = options.force_path_style.value_or(address.custom_endpoint() || dotted);
  return address;
}

std::string S3Address::origin(std::string_view region) const {
  std::string base = endpoint_;
  if (base.empty()) {
    base = fmt::format("https://s3.{}.amazonaws.com{}", region,
                       region.starts_with("cn-") ? ".cn" : "");
  }
  if (!path_style_) base.insert(base.find("://") + 3, bucket_ + ".");
  return base;
}

std::string S3Address::object_resource(std::string_view key) const {
  const std::string bucket = path_style_ ? "/" + bucket_ : "";
  return endpoint_path_ + bucket + "/" + model::percent_encode_path(key);
}

std::string S3Address::list_resource(const net::Query& query) const {
  const std::string bucket = path_style_ ? "/" + bucket_ : "/";
  return endpoint_path_ + bucket + "?" + net::canonical_query(query);
}

std::string S3Address::display() const {
  return custom_endpoint() ? fmt::format("{} ({}{})", shown_, endpoint_, endpoint_path_) : shown_;
}

}  // namespace lazyvol::source
