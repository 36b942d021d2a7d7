// Whether a service does what If-Match and If-None-Match say.
#pragma once

#include <string>

#include "lazyvol/error.h"
#include "publish/s3_objects.h"

namespace lazyvol::publish {

/// Asks it, by writing the object `key` under conditions that do not hold (and, the first time, so
/// that it is there): two small requests. False: it writes whatever they say, or refuses to look
/// at them. Errors: those of the requests.
Result<bool> honours_conditions(const S3Objects& objects, const std::string& key);

}  // namespace lazyvol::publish
