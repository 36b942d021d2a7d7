// One directory, asked for page by page.
#pragma once

#include <memory>
#include <string>

#include "lazyvol/source.h"
#include "source/s3_site.h"

namespace lazyvol::source {

/// Lists the keys below `prefix` ("" or ends in '/'), all pages, each retried. Where there is none,
/// it is asked whether the key without the '/' is an object. Errors: as Source::list; not_found by
/// proof. An empty bucket is an empty directory.
void list_s3(const std::shared_ptr<S3Site>& site, std::string prefix, const RequestContext& ctx,
             Source::ListDone done);

/// Asks for the first key that begins with `prefix`, "" when there is none.
void first_s3_key(const std::shared_ptr<S3Site>& site, const std::string& prefix,
                  const RequestContext& ctx, std::function<void(Result<std::string>)> done);

}  // namespace lazyvol::source
