// Makes the Source for a URL.
#pragma once

#include <memory>

#include "base/timer.h"
#include "base/workers.h"
#include "lazyvol/source.h"
#include "model/options.h"
#include "model/source_url.h"
#include "net/http_engine.h"
#include "source/bandwidth_limit.h"

namespace lazyvol::source {

/// What sources share in one process. The owner keeps it alive longer than every source.
struct SourceEnvironment {
  net::HttpEngine& http;
  base::TimerQueue& timer;
  base::Workers& blocking;  ///< for calls that block (dir, later git and sftp)
  BandwidthLimit& bandwidth;
};

/// Reaches no network. What is read is held to the environment's bandwidth. Errors:
/// invalid_argument (unknown scheme), the errors of net::Credentials::open, not_found /
/// not_directory for a local path.
Result<std::shared_ptr<Source>> make_source(const model::SourceUrl& url,
                                            const model::MountOptions& options,
                                            SourceEnvironment environment);

}  // namespace lazyvol::source
