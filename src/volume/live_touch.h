// Fetches what one item of a profile names, in a live volume.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "model/profile.h"
#include "volume/prefetcher.h"

namespace lazyvol::volume {

/// As MountedVolume::touch.
class LiveTouch : public std::enable_shared_from_this<LiveTouch> {
 public:
  static void run(Prefetcher::Parts parts, model::ProfileItem item, RequestContext ctx,
                  std::function<void(Status)> done);

 private:
  LiveTouch(Prefetcher::Parts parts, model::ProfileItem item, RequestContext ctx,
            std::function<void(Status)> done);
  void descend(NodeId directory, std::string rest);
  void found(NodeId parent, const cache::StoredEntry& entry);

  const Prefetcher::Parts parts_;
  const model::ProfileItem item_;
  const RequestContext ctx_;
  const std::function<void(Status)> done_;
  std::shared_ptr<Activity::Token> token_;
};

}  // namespace lazyvol::volume
