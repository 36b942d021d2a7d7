// A tree of objects in an S3 bucket.
#pragma once

#include <memory>

#include "lazyvol/source.h"
#include "net/aws_config.h"
#include "source/registry.h"

namespace lazyvol::source {

/// What the mount options do not say.
struct S3Tuning {
  net::AwsEnvironment aws = net::AwsEnvironment::of_process();
  std::uint32_t page_keys = 0;  ///< of one page of a listing; 0 = as many as the service likes
};

/// `url` has the scheme s3. Reads the credentials file and AWS's settings, reaches no network.
/// Errors: as net::Credentials::open and net::AwsConfig::load; invalid_argument for an endpoint or
/// a profile that cannot be.
Result<std::shared_ptr<Source>> make_s3_source(const model::SourceUrl& url,
                                               const model::MountOptions& options,
                                               SourceEnvironment environment, S3Tuning tuning = {});

}  // namespace lazyvol::source
