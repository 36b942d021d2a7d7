#include "volume/published_objects.h"

#include <algorithm>
#include <utility>

#include "catalog/key.h"
#include "fetch/published_fetcher.h"

namespace lazyvol::volume {
namespace {

/// The objects from an entry on, as far as the catalog is at hand.
struct Neighbours {
  std::vector<std::string> paths;
  std::string last;  ///< key of what was looked at last
};

struct Limits {
  std::size_t files;
  bool one_directory;
};

Neighbours neighbours_of(const Revision& revision, const catalog::Entry& first, Limits limits) {
  constexpr std::size_t kEntries = 1 << 14;  // of links or long files only, say
  Neighbours found;
  std::uint64_t bytes = 0;
  std::size_t entries = 0;
  const auto add = [&](const catalog::Entry& entry) {
    const auto* object = std::get_if<catalog::ObjectContent>(&entry.content);
    if (object == nullptr) return;
    const std::uint64_t size =
        entry.size == catalog::kUnknownSize ? PublishedObjects::kUnknown : entry.size;
    if (size > PublishedObjects::kLongest && !found.paths.empty()) return;
    found.paths.push_back(fetch::object_path(*object));
    bytes += size;
  };
  revision.visit_at_hand(first.directory, first.name, [&](const catalog::Entry& entry) {
    if (limits.one_directory && entry.directory != first.directory) return false;
    add(entry);
    found.last = catalog::name_key(entry.directory, entry.name);
    return found.paths.size() < limits.files && bytes < PublishedObjects::kNeighbourBytes &&
           ++entries < kEntries;
  });
  return found;
}

/// Whether at most kReach entries lie between the two.
bool is_soon_after(const Revision& revision, const std::string& last, const std::string& key) {
  const auto place = catalog::parse_name_key(last);
  if (!place.ok()) return false;
  std::size_t passed = 0;
  bool reached = false;
  revision.visit_at_hand(place->directory, catalog::key_after(place->name),
                         [&](const catalog::Entry& entry) {
                           reached = catalog::name_key(entry.directory, entry.name) >= key;
                           return !reached && ++passed < PublishedObjects::kReach;
                         });
  return reached;
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

std::optional<PublishedObjects::Window> PublishedObjects::window_near(
    std::uint64_t switches, const std::string& key) const {
  std::optional<Window> near;
  const auto windows = windows_.lock();
  for (const Window& window : *windows) {
    if (window.switches != switches || key < window.first) continue;
    if (!near || window.last > near->last) near = window;
  }
  return near;
}

void PublishedObjects::announce(const Revision& revision, const catalog::Entry& entry) {
  std::string key = catalog::name_key(entry.directory, entry.name);
  const auto near = window_near(revision.switches(), key);
  if (near && key <= near->last) return;
  const bool goes_on = near && is_soon_after(revision, near->last, key);
  const Limits limits = goes_on ? Limits{std::min(2 * near->files, kMostNeighbours), false}
                                : Limits{kNeighbours, true};
  Neighbours neighbours = neighbours_of(revision, entry, limits);
  {
    const auto windows = windows_.lock();
    windows->push_front(
        {revision.switches(), std::move(key), std::move(neighbours.last), neighbours.paths.size()});
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
