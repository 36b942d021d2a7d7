#include "volume/published_objects.h"

#include <algorithm>
#include <utility>

#include "catalog/key.h"
#include "catalog/leaf_page.h"
#include "fetch/published_fetcher.h"

namespace lazyvol::volume {
namespace {

/// The objects among the entries of a directory from `first` on, as far as the catalog is at hand.
class Neighbours {
 public:
  void collect(const Revision& revision, const catalog::Entry& first) {
    std::string key = catalog::name_key(first.directory, first.name);
    while (!full_) {
      const auto page = revision.leaf_at_hand(key);
      if (!page.ok() || !*page || !**page) return;
      const auto leaf = catalog::LeafPage::open(***page);
      if (!leaf.ok() || !take(*leaf, first.directory, key)) return;
      key = catalog::key_after(catalog::name_key(first.directory, last_));
    }
  }
  std::vector<std::string> paths;
  const std::string& last() const { return last_; }

 private:
  /// False: the directory ends here.
  bool take(const catalog::LeafPage& leaf, NodeId directory, const std::string& key) {
    const auto begin = leaf.lower_bound(directory, std::string_view(key).substr(8));
    if (!begin.ok() || *begin == leaf.rows()) return false;
    for (std::size_t row = *begin; row < leaf.rows() && !full_; ++row) {
      const auto entry = leaf.entry(row);
      if (!entry.ok() || entry->directory != directory) return false;
      add(*entry);
    }
    return true;
  }

  void add(const catalog::Entry& entry) {
    last_ = entry.name;
    const auto* object = std::get_if<catalog::ObjectContent>(&entry.content);
    if (object == nullptr) return;
    const std::uint64_t size = entry.size == catalog::kUnknownSize ? 0 : entry.size;
    if (size > PublishedObjects::kLongest && !paths.empty()) return;
    paths.push_back(fetch::object_path(*object));
    bytes_ += size;
    full_ = paths.size() >= PublishedObjects::kNeighbours ||
            bytes_ >= PublishedObjects::kNeighbourBytes;
  }

  std::string last_;
  std::uint64_t bytes_ = 0;
  bool full_ = false;
};

}  // namespace

std::optional<std::uint64_t> PublishedObjects::size(NodeId id, std::uint64_t size) const {
  if (size != catalog::kUnknownSize) return size;
  const auto sizes = sizes_.lock();
  const auto it = sizes->find(id);
  return it == sizes->end() ? std::nullopt : std::optional(it->second);
}

void PublishedObjects::measure(const std::shared_ptr<const Revision>& revision,
                               catalog::Entry entry, RequestContext ctx, Done done) {
  if (const auto known = size(entry.id, entry.size)) {
    entry.size = *known;
    return done(std::move(entry));
  }
  const auto* object = std::get_if<catalog::ObjectContent>(&entry.content);
  if (source_ == nullptr || object == nullptr) {
    return done(Error{Code::corrupt, entry.name + ": a file without a size"});
  }
  announce(*revision, entry);
  source_->stat(fetch::object_path(*object), std::move(ctx),
                [self = shared_from_this(), entry,
                 done = std::move(done)](const Result<RemoteEntry>& found) mutable {
                  if (!found.ok()) return done(found.error());
                  if (!found->size) {
                    return done(Error{Code::io_error, entry.name + ": its size cannot be told"});
                  }
                  entry.size = *found->size;
                  {
                    const auto sizes = self->sizes_.lock();
                    // A catalog compiled later has them; this only bridges the time until then.
                    if (sizes->size() >= kMaxSizes) sizes->clear();
                    sizes->emplace(entry.id, entry.size);
                  }
                  done(std::move(entry));
                });
}

void PublishedObjects::about_to_read(const Revision& revision, const catalog::Entry& entry) {
  if (source_ == nullptr || !std::holds_alternative<catalog::ObjectContent>(entry.content)) return;
  announce(revision, entry);
}

void PublishedObjects::announce(const Revision& revision, const catalog::Entry& entry) {
  {
    const auto windows = windows_.lock();
    for (const Window& window : *windows) {
      if (window.switches == revision.switches() && window.directory == entry.directory &&
          window.first <= entry.name && entry.name <= window.last) {
        return;
      }
    }
  }
  Neighbours neighbours;
  neighbours.collect(revision, entry);
  {
    const auto windows = windows_.lock();
    windows->push_front({revision.switches(), entry.directory, entry.name, neighbours.last()});
    if (windows->size() > kMaxWindows) windows->pop_back();
  }
  source_->expect(std::move(neighbours.paths));
}

void PublishedObjects::expect(const std::vector<catalog::Entry>& entries) const {
  if (source_ == nullptr) return;
  std::vector<std::string> paths;
  for (const auto& entry : entries) {
    const auto* object = std::get_if<catalog::ObjectContent>(&entry.content);
    if (object != nullptr) paths.push_back(fetch::object_path(*object));
  }
  if (!paths.empty()) source_->expect(std::move(paths));
}

}  // namespace lazyvol::volume
