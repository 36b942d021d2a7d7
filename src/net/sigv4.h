// AWS Signature Version 4, in the Authorization field.
//
// Source of the algorithm: "Signature Calculations for the Authorization Header" of the Amazon S3
// API Reference (https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html).
// Not libcurl's own: 7.88 gets unsorted queries and "+" in paths wrong. Pure; thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lazyvol/error.h"
#include "net/aws_keys.h"
#include "net/http_engine.h"

namespace lazyvol::net {

/// For whom a signature holds.
struct SigningScope {
  std::string region;   ///< "us-east-1"
  std::string service;  ///< "s3", "sts"
};

/// What is signed of a request.
struct SignedParts {
  std::string method;
  std::string path;   ///< as in the URL, encoded; "" counts as "/"
  std::string query;  ///< as canonical_query() makes it
  /// Names in lower case, any order; "host" must be among them.
  std::vector<std::pair<std::string, std::string>> headers;
  std::string payload_sha256;  ///< hex, or "UNSIGNED-PAYLOAD"
};

using Query = std::vector<std::pair<std::string, std::string>>;

/// Names and values, raw, as the query of a URL: encoded (all but A-Za-z0-9-._~) and sorted, so
/// that what is sent is what is signed.
std::string canonical_query(const Query& query);

/// Lower-case hex.
std::string sha256_hex(std::string_view bytes);

/// The text whose hash is signed. `parts.headers` come out sorted, values with runs of spaces as
/// one.
std::string canonical_request(const SignedParts& parts);

/// The value of Authorization. `amz_date` is "YYYYMMDDTHHMMSSZ", as in the field x-amz-date.
std::string authorization(const SignedParts& parts, const AwsKeys& keys, const SigningScope& scope,
                          std::string_view amz_date);

/// Signs `request` as of `now_s` (Unix seconds): sets x-amz-date, x-amz-content-sha256,
/// x-amz-security-token (with a session token) and Authorization, replacing those of an earlier
/// attempt. Covers the host and all x-amz-* fields; Range and If-Match may be added freely. Its
/// query must be canonical. Errors: invalid_argument (not an absolute URL).
Status sign(HttpRequest& request, const AwsKeys& keys, const SigningScope& scope,
            std::int64_t now_s);

}  // namespace lazyvol::net
