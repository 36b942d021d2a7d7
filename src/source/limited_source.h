// A source whose bytes come no faster than a limit allows.
#pragma once

#include <memory>

#include "base/timer.h"
#include "lazyvol/source.h"
#include "source/bandwidth_limit.h"

namespace lazyvol::source {

/// `source` with its reads held to `limit`, which many may share: a read that came too far is
/// paused. Listings and descriptions are not counted. While no rate is set it costs a look at it.
/// `limit` and `timer` must outlive the source and its reads.
std::shared_ptr<Source> limit_bandwidth(std::shared_ptr<Source> source, BandwidthLimit& limit,
                                        base::TimerQueue& timer);

}  // namespace lazyvol::source
