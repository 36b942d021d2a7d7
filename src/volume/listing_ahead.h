// Lists directories ahead of those who walk through a live tree (find, ls -R, tar, cp -r, du).
//
// Each directory costs its origin a request or more, and its walker their round trips. Whoever
// opens one directory after the other in the order in which a walk comes by them (a directory, what
// is in it, what follows it) is a walk: once some opens have confirmed it, a growing number of the
// directories that follow is listed before they are opened.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/locked.h"
#include "volume/core.h"
#include "volume/listings.h"

namespace lazyvol::volume {

/// Thread-safe. Waits for nothing; what is under way keeps it alive.
class ListingAhead : public std::enable_shared_from_this<ListingAhead> {
 public:
  static constexpr std::size_t kWalks = 16;
  static constexpr unsigned kConfirmed = 3;             ///< opens in order, the first one included
  static constexpr std::size_t kFirst = 4, kMost = 32;  ///< directories ahead of a walk

  ListingAhead(std::shared_ptr<Core> core, std::shared_ptr<Listings> listings)
      : core_(std::move(core)), listings_(std::move(listings)) {}

  /// `name` of `parent` was opened, the directory `id`, and its listing is known. `asked`: it had
  /// to be asked for.
  void opened(NodeId id, NodeId parent, const std::string& name, bool asked);

 private:
  /// A directory that is being listed, or one whose subdirectories from `next` on are to be.
  struct Item {
    NodeId directory = 0;
    bool listed = false;
    std::size_t next = 0;  ///< position in its listing
  };
  struct Walk {
    std::uint64_t number = 0;
    NodeId last = 0;  ///< that was opened
    unsigned opens = 1;
    std::size_t window = kFirst;
    std::list<Item> items;             ///< in the walk's order
    std::unordered_set<NodeId> ahead;  ///< asked for here, and not opened yet
    NodeId top = 0;                    ///< the subtree that `items` began with
  };
  using Walks = std::list<Walk>;  // the latest first

  Walks::iterator walk_of(Walks& walks, NodeId id, NodeId parent, const std::string& name,
                          bool asked);
  std::vector<NodeId> go_on(Walk& walk);
  std::optional<NodeId> next_directory(Item& item);
  bool climb(Walk& walk);
  void list(std::uint64_t walk, const std::vector<NodeId>& directories);
  void listed(std::uint64_t walk, NodeId directory, bool ok);

  const std::shared_ptr<Core> core_;
  const std::shared_ptr<Listings> listings_;
  struct State {
    Walks walks;
    std::uint64_t made = 0;
  };
  base::Locked<State> state_;
};

}  // namespace lazyvol::volume
