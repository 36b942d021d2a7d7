// Drops cached bytes of everything known below a path.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "volume/core.h"

namespace lazyvol::volume {

/// One directory per task on the workers, so that a large tree does not keep a worker for itself.
class Evictor : public std::enable_shared_from_this<Evictor> {
 public:
  using Done = std::function<void(Result<std::uint64_t>)>;

  /// As Volume::evict; `source_path` is the path in the source.
  static void run(std::shared_ptr<Core> core, std::string source_path, Done done);

 private:
  Evictor(std::shared_ptr<Core> core, Done done) : core_(std::move(core)), done_(std::move(done)) {}
  void begin(const std::string& source_path);
  void advance();
  void drop(NodeId parent, const cache::StoredEntry& entry);

  const std::shared_ptr<Core> core_;
  std::shared_ptr<Activity::Token> token_;
  // One task at a time touches these.
  std::vector<NodeId> directories_;
  std::uint64_t freed_ = 0;
  Done done_;
};

}  // namespace lazyvol::volume
