// A large object, sent in parts at once.
//
// Source of the rules: "Uploading and copying objects using multipart upload" of the Amazon S3 User
// Guide: parts have 5 MiB and more, but for the last one, and there are 10,000 at most.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/workers.h"
#include "lazyvol/error.h"
#include "publish/s3_objects.h"

namespace lazyvol::publish {

/// Bytes of each part but the last.
inline constexpr std::size_t kPartBytes = 8U << 20;

/// The bytes of an object, cut; not hashed yet, which the threads that send them do.
using Parts = std::vector<std::shared_ptr<net::Payload>>;

/// `part` with its hash.
std::shared_ptr<const net::Payload> hashed(const std::shared_ptr<net::Payload>& part);

/// Writes an object that is the concatenation of `parts`, whole or not at all, in place of what is
/// there. As many parts are under way as `workers` has threads. When that fails the upload is
/// aborted. Blocks; not from one of the workers. Errors: those of the requests.
Status upload_in_parts(const S3Objects& objects, base::Workers& workers, const std::string& key,
                       const Parts& parts, std::string_view cache);

}  // namespace lazyvol::publish
