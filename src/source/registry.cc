#include "source/registry.h"

#include <utility>

#include "source/dir_source.h"
#include "source/http_source.h"
#include "source/limited_source.h"
#include "source/s3_source.h"
#include "source/sftp_source.h"

namespace lazyvol::source {
namespace {

Result<std::shared_ptr<Source>> make_unlimited(const model::SourceUrl& url,
                                               const model::MountOptions& options,
                                               SourceEnvironment environment) {
  if (url.scheme == "file") return make_dir_source(url.path, environment);
  if (url.scheme == "http" || url.scheme == "https") {
    return make_http_source(url, options, environment);
  }
  if (url.scheme == "s3") return make_s3_source(url, options, environment);
  if (url.scheme == "sftp") return make_sftp_source(url, options, environment);
  return Error{Code::invalid_argument, "no source for the scheme " + url.scheme};
}

}  // namespace

Result<std::shared_ptr<Source>> make_source(const model::SourceUrl& url,
                                            const model::MountOptions& options,
                                            SourceEnvironment environment) {
  LAZYVOL_TRY_ASSIGN(auto source, make_unlimited(url, options, environment));
  return limit_bandwidth(std::move(source), environment.bandwidth, environment.timer);
}

}  // namespace lazyvol::source
