// Where the objects of one s3 source lie: names, URLs.
//
// Source of the rules: "Methods for accessing a general purpose bucket" of the Amazon S3 User
// Guide. Pure values.
#pragma once

#include <string>
#include <string_view>

#include "lazyvol/error.h"
#include "model/options.h"
#include "model/source_url.h"
#include "net/sigv4.h"

namespace lazyvol::source {

/// The longest key, in bytes.
inline constexpr std::size_t kMaxS3Key = 1024;

/// What "s3://bucket/prefix" and the options say. Immutable.
class S3Address {
 public:
  /// Errors: invalid_argument (an endpoint that is no URL of a server, a prefix that is too long).
  static Result<S3Address> make(const model::SourceUrl& url, const model::MountOptions& options);

  const std::string& bucket() const { return bucket_; }
  /// Of all keys; "" or ends in '/'. Raw bytes.
  const std::string& prefix() const { return prefix_; }
  /// The key of the volume-relative `path`.
  std::string key_of(std::string_view path) const { return prefix_ + std::string(path); }

  /// True when the endpoint was given by option: then the region only signs.
  bool custom_endpoint() const { return !endpoint_.empty(); }
  /// Scheme and host of all requests while the bucket is in `region`: "https://b.s3.eu….com".
  std::string origin(std::string_view region) const;
  /// What follows the origin: for an object, and for a listing of the bucket.
  std::string object_resource(std::string_view key) const;
  std::string list_resource(const net::Query& query) const;
  /// For people and for the identity of bytes: "s3://bucket/prefix/", with the endpoint if custom.
  std::string display() const;

 private:
  std::string bucket_, prefix_, shown_;
  std::string endpoint_;       // scheme and host of the option; "" = AWS
  std::string endpoint_path_;  // what follows them, without a final '/'
  bool path_style_ = false;
};

}  // namespace lazyvol::source
