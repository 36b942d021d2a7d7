// An open directory: one listing, packed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "lazyvol/volume.h"
#include "volume/node_view.h"

namespace lazyvol::volume {

/// Immutable.
class DirectorySnapshot final : public Directory {
 public:
  /// `sorted`: in byte order of names. `left`: until the listing expires.
  DirectorySnapshot(NodeId id, NodeId parent, const std::vector<cache::StoredEntry>& sorted,
                    const NodeView& view, std::int64_t now_wall_ns, std::chrono::milliseconds left);

  NodeId id() const override { return id_; }
  NodeId parent() const override { return parent_; }
  /// All is at hand: answers inline.
  void read(std::uint64_t position, RequestContext ctx, Visit visit,
            std::function<void(Status)> done) override;
  std::optional<base::Monotonic> good_until() const override { return good_until_; }

 private:
  struct Row {
    std::size_t name_begin = 0;
    std::uint32_t name_size = 0;
    bool known = false;
    Node node;
  };
  Item item(const Row& row) const;

  NodeId id_, parent_;
  base::Monotonic good_until_;
  std::string names_;
  std::vector<Row> rows_;
};

}  // namespace lazyvol::volume
