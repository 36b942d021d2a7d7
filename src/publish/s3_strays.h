// Uploads that somebody began and never ended: their parts cost money and no listing shows them.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include "lazyvol/error.h"
#include "publish/s3_objects.h"

namespace lazyvol::publish {

/// Aborts the uploads of keys that begin with `prefix` which began longer than `age` ago, by the
/// service's clock; gives their number. Errors: those of the requests.
Result<std::size_t> abort_stray_uploads(const S3Objects& objects, const std::string& prefix,
                                        std::chrono::seconds age);

}  // namespace lazyvol::publish
