// What an S3 service means when it refuses a request.
//
// Source: "Error responses" of the Amazon S3 API Reference
// (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html). Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "lazyvol/error.h"
#include "net/http_engine.h"

namespace lazyvol::source {

struct S3Refusal {
  Error error;
  /// Other keys may be accepted: these are unknown, expired or wrongly used.
  bool keys_refused = false;
  /// Where the bucket is, when the refusal says so; else empty.
  std::string region;
  /// The service gave no reason (a HEAD has no body): a GET would tell.
  bool unexplained = false;
};

/// Reads a response of 300 and more. `page` is its body (untrusted, up to 64 KiB), `what` names
/// the request ("GET https://…"), `now_s` is this machine's clock (Unix seconds). The message is
/// one printable line without the request's identity. Codes: as net::http_status_error() where the
/// service's own code says no more; stale, throttled, unsupported, name_too_long, busy, no_space, …
/// where it does.
S3Refusal read_s3_refusal(const net::HttpHead& head, std::string_view page, std::string_view what,
                          std::int64_t now_s);

/// Copies and completed uploads are answered with 200 before they are done; what went wrong stands
/// in the `page` then. Ok for any other document.
Status read_s3_late_refusal(std::string_view page, std::string_view what);

}  // namespace lazyvol::source
