// Uploads that somebody began and never ended: their parts cost money and no listing shows them.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lazyvol/error.h"
#include "publish/s3_objects.h"

namespace lazyvol::publish {

/// One page of ListMultipartUploads.
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

/// Aborts the uploads of keys that begin with `prefix` which began longer than `age` ago, by the
/// service's clock; gives their number. Errors: those of the requests.
Result<std::size_t> abort_stray_uploads(const S3Objects& objects, const std::string& prefix,
                                        std::chrono::seconds age);

}  // namespace lazyvol::publish
