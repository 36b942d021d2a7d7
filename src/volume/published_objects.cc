#include "volume/published_objects.h"

#include <utility>

#include "fetch/published_fetcher.h"

namespace lazyvol::volume {
namespace {

/// The objects of a directory from a name on, as far as the catalog is at hand.
struct Neighbours {
  std::vector<std::string> paths;
  std::string last;  ///< name that was looked at
};

Neighbours neighbours_of(const Revision& revision, const catalog::Entry& first) {
  Neighbours found;
  std::uint64_t bytes = 0;
  revision.visit_at_hand(first.directory, first.name, [&](const catalog::Entry& entry) {
    if (entry.directory != first.directory) return false;
    found.last = entry.name;
    const auto* object = std::get_if<catalog::ObjectContent>(&entry.content);
    if (object == nullptr) return true;
    const std::uint64_t size = entry.size == catalog::kUnknownSize ? 0 : entry.size;
    if (size > PublishedObjects::kLongest && !found.paths.empty()) return true;
    found.paths.push_back(fetch::object_path(*object));
    bytes += size;
    return found.paths.size() < PublishedObjects::kNeighbours &&
           bytes < PublishedObjects::kNeighbourBytes;
  });
  return found;
}

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
  Neighbours neighbours = neighbours_of(revision, entry);
  {
    const auto windows = windows_.lock();
    windows->push_front({revision.switches(), entry.directory, entry.name, neighbours.last});
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
