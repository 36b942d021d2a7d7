// One run of a publisher, with the bounds that tests make small.
#pragma once

#include <functional>
#include <stop_token>

#include "lazyvol/error.h"
#include "publish/publish_limits.h"
#include "publish/publisher.h"
#include "publish/store.h"

namespace lazyvol::publish {

/// publish() with other limits. The same thread rule and errors.
Result<PublishReport> publish_within(const Limits& limits, Store& store,
                                     const PublishOptions& options,
                                     const std::function<void(const PublishProgress&)>& progress,
                                     std::stop_token stop);

}  // namespace lazyvol::publish
