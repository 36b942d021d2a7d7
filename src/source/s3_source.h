// A tree of objects in an S3 bucket.
#pragma once

#include <memory>

#include "lazyvol/source.h"
#include "source/registry.h"
#include "source/s3_site.h"

namespace lazyvol::source {

/// `url` has the scheme s3. Reaches no network. Errors: as S3Site::make().
Result<std::shared_ptr<Source>> make_s3_source(const model::SourceUrl& url,
                                               const model::MountOptions& options,
                                               SourceEnvironment environment, S3Tuning tuning = {});

}  // namespace lazyvol::source
