// Pages of ListMultipartUploads.
//
// Source of the format: "ListMultipartUploads" of the Amazon S3 API Reference.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lazyvol/error.h"

namespace lazyvol::publish {

/// One page, decoded.
struct S3UploadsPage {
  struct Upload {
    std::string key, id;
    std::optional<std::int64_t> begun_s;  ///< Unix seconds
  };
  std::vector<Upload> uploads;
  std::string next_key, next_id;  ///< where the next page begins; empty on the last one
};

/// Errors: corrupt (something else, cut short, a row without key or id). Pure; the bytes are
/// untrusted.
Result<S3UploadsPage> parse_s3_uploads(std::string_view document);

}  // namespace lazyvol::publish
