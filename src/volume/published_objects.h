// Files of a catalog whose bytes are objects (catalog::ObjectContent): their sizes, and what is
// worth asking for along with one of them.
//
// A catalog that was made of git trees may lack sizes: git's trees have none. A file's size is
// measured when somebody looks at it, and its neighbours' with it, in one go.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/locked.h"
#include "catalog/entry.h"
#include "lazyvol/request.h"
#include "lazyvol/source.h"
#include "volume/published_revision.h"

namespace lazyvol::volume {

/// Thread-safe.
class PublishedObjects : public std::enable_shared_from_this<PublishedObjects> {
 public:
  /// So many neighbours of its directory are taken along, of so many bytes in all, none longer than
  /// that; one whose size is not known counts as kUnknown.
  static constexpr std::size_t kNeighbours = 512;
  static constexpr std::uint64_t kNeighbourBytes = 32ULL << 20, kLongest = 1ULL << 20;
  static constexpr std::uint64_t kUnknown = 64ULL << 10;
  /// Whoever goes on where they ended, or up to kReach entries later, gets twice as many, of any
  /// directory; at most so many.
  static constexpr std::size_t kReach = 64, kMostNeighbours = 2048;
  static constexpr std::size_t kMaxSizes = 200'000, kMaxWindows = 64;
  using Done = std::function<void(Result<catalog::Entry>)>;

  /// `source` has the objects; null when the volume has none.
  explicit PublishedObjects(std::shared_ptr<Source> source) : source_(std::move(source)) {}

  /// The size of the file `id`, if it is known. `size`: as the catalog has it.
  std::optional<std::uint64_t> size(NodeId id, std::uint64_t size) const;
  /// `entry` with its size. Answers inline when it is known. Errors: those of Source::stat;
  /// corrupt (there are no objects).
  void measure(const std::shared_ptr<const Revision>& revision, catalog::Entry entry,
               RequestContext ctx, Done done);
  /// Says that `entry` is about to be read, and that those beside it may be next.
  void about_to_read(const Revision& revision, const catalog::Entry& entry);
  /// Says the same of all of `entries`, and of no others.
  void expect(const std::vector<catalog::Entry>& entries) const;

 private:
  /// Entries that were announced, by their keys: `first` … `last`.
  struct Window {
    std::uint64_t switches = 0;
    std::string first, last;
    std::size_t files = 0;
  };
  /// The window that `key` lies in, else the last one before it.
  std::optional<Window> window_near(std::uint64_t switches, const std::string& key) const;
  void announce(const Revision& revision, const catalog::Entry& entry);

  const std::shared_ptr<Source> source_;
  base::Locked<std::unordered_map<NodeId, std::uint64_t>> sizes_;
  base::Locked<std::deque<Window>> windows_;  // the latest first
};

}  // namespace lazyvol::volume
