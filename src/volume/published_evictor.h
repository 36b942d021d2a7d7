// Drops a tree of a published volume from the cache, as far as its pages are at hand.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "volume/published_core.h"
#include "volume/published_walk.h"

namespace lazyvol::volume {

/// One leaf for each task on the workers, so that a large tree does not keep a worker for itself.
class PublishedEvictor : public std::enable_shared_from_this<PublishedEvictor> {
 public:
  using Done = std::function<void(Result<std::uint64_t>)>;

  /// As Volume::evict.
  static void run(std::shared_ptr<PublishedCore> core, std::string path, Done done);

 private:
  PublishedEvictor(std::shared_ptr<PublishedCore> core, Done done);
  void begin(const std::optional<catalog::Entry>& entry);
  void drop(const catalog::Entry& entry);
  void continue_later();
  void advance();

  const std::shared_ptr<PublishedCore> core_;
  const std::shared_ptr<const Revision> revision_;
  const Done done_;
  std::shared_ptr<Activity::Token> token_;
  // One task at a time touches these.
  PublishedWalk walk_;
  std::uint64_t freed_ = 0;
};

}  // namespace lazyvol::volume
