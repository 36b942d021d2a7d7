// Goes through a directory of a revision and all below it, in the order in which entries lie in the
// catalog: leaf after leaf.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <vector>

#include "catalog/entry.h"
#include "volume/published_revision.h"

namespace lazyvol::volume {

/// Used by one thread at a time; a call ends before the next one begins.
class PublishedWalk {
 public:
  using Entries = std::vector<catalog::Entry>;
  using Done = std::function<void(Result<Entries>)>;

  explicit PublishedWalk(std::shared_ptr<const Revision> revision)
      : revision_(std::move(revision)) {}

  /// A directory to go through (an id of the catalog).
  void add(NodeId directory) { waiting_.push(directory); }
  bool finished() const { return !at_ && waiting_.empty(); }

  /// The entries of the next leaf of a directory; may be none. After an error the rest of that
  /// directory is passed over. Must not be finished(). Answers inline when all pages are at hand.
  void next(const RequestContext& ctx, Done done);
  /// The same without asking an origin: what needs a page that is not at hand is passed over.
  Result<Entries> next_at_hand();

 private:
  struct At {
    NodeId directory = 0;
    std::string key;
  };
  void begin();
  Result<Entries> take(const Revision::Page& page);
  Status take(const std::string& page, Entries& entries);

  const std::shared_ptr<const Revision> revision_;
  // The least id first: directories lie in the catalog by their ids.
  std::priority_queue<NodeId, std::vector<NodeId>, std::greater<>> waiting_;
  std::optional<At> at_;
};

}  // namespace lazyvol::volume
