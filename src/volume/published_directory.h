// An open directory of a published volume: one revision's listing, read leaf by leaf.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/locked.h"
#include "catalog/directory_walk.h"
#include "lazyvol/volume.h"
#include "volume/published_core.h"

namespace lazyvol::volume {

/// Keeps the names of two leaves, and for each leaf that was passed the place where it begins: a
/// directory of a million names costs about 1,100 short texts. A position that was not reached yet
/// is reached by going there.
class PublishedDirectory final : public Directory,
                                 public std::enable_shared_from_this<PublishedDirectory> {
 public:
  /// `id` and `parent` are the catalog's ids.
  PublishedDirectory(std::shared_ptr<PublishedCore> core, std::shared_ptr<const Revision> revision,
                     NodeId id, NodeId parent);

  NodeId id() const override { return revision_->shown(id_); }
  NodeId parent() const override { return parent_; }
  void read(std::uint64_t position, RequestContext ctx, Visit visit,
            std::function<void(Status)> done) override;

 private:
  static constexpr std::size_t kWindows = 2;
  class Reading;
  /// The names of one leaf.
  struct Window {
    std::uint64_t begin = 0;  ///< position of the first
    bool last = false;        ///< none follows
    std::vector<catalog::ListedEntry> entries;
    std::uint64_t end() const { return begin + entries.size(); }
  };
  struct State {
    std::deque<std::shared_ptr<const Window>> windows;     ///< the latest first
    std::map<std::uint64_t, std::string> begins{{0, {}}};  ///< position → the name before it
  };

  std::shared_ptr<const Window> kept(std::uint64_t position) const;
  std::shared_ptr<const Window> add(std::uint64_t begin, std::vector<catalog::ListedEntry> entries,
                                    bool last);
  void show(const Window& window, std::uint64_t position, const Visit& visit,
            const std::function<void(Status)>& done) const;

  const std::shared_ptr<PublishedCore> core_;
  const std::shared_ptr<const Revision> revision_;
  const NodeId id_, parent_;  // parent_ as it is shown
  base::Locked<State> state_;
};

}  // namespace lazyvol::volume
