#include "volume/published_directory.h"

#include <utility>

#include "volume/turn.h"

namespace lazyvol::volume {

/// One call of read(): goes from leaf to leaf until it has the one with the position.
class PublishedDirectory::Reading : public std::enable_shared_from_this<Reading> {
 public:
  Reading(std::shared_ptr<PublishedDirectory> directory, std::uint64_t position, RequestContext ctx,
          Visit visit, std::function<void(Status)> done)
      : directory_(std::move(directory)),
        position_(position),
        ctx_(std::move(ctx)),
        visit_(std::move(visit)),
        done_(std::move(done)) {}

  void run() {
    for (;;) {
      if (const auto window = directory_->kept(position_)) {
        return directory_->show(*window, position_, visit_, done_);
      }
      begin_step();
      turn_.begin();
      directory_->revision_->leaf(catalog::Tree::names, walk_->key(), ctx_,
                                  [self = shared_from_this()](Result<Revision::Page> page) {
                                    self->page_ = std::move(page);
                                    if (self->turn_.second() && self->took_page()) self->run();
                                  });
      if (!turn_.second() || !took_page()) return;
    }
  }

 private:
  /// Where the nearest leaf before the position begins.
  void begin_step() {
    const auto state = directory_->state_.lock();
    const auto next = std::prev(state->begins.upper_bound(position_));
    begin_ = next->first;
    walk_.emplace(directory_->id_, next->second);
  }

  /// False: `done_` was called.
  bool took_page() {
    if (!page_.ok()) {
      done_(directory_->core_->failed(page_.error()));
      return false;
    }
    std::vector<catalog::ListedEntry> entries;
    if (!*page_) {
      walk_->finish();
    } else if (auto taken = take(**page_, entries); !taken.ok()) {
      done_(directory_->core_->failed(std::move(taken).error()));
      return false;
    }
    const bool last = walk_->finished();
    const auto window = directory_->add(begin_, std::move(entries), last);
    directory_->revision_->fetch_ahead(walk_->key(), ctx_);
    if (!last || position_ < window->end()) return true;
    done_({});  // past the end
    return false;
  }

  Status take(const std::string& page, std::vector<catalog::ListedEntry>& entries) {
    LAZYVOL_TRY_ASSIGN(const auto leaf, catalog::LeafPage::open(page));
    return walk_->take(leaf, catalog::kMaxPageRows, entries);
  }

  const std::shared_ptr<PublishedDirectory> directory_;
  const std::uint64_t position_;
  const RequestContext ctx_;
  const Visit visit_;
  const std::function<void(Status)> done_;
  // One step at a time touches these.
  Turn turn_;
  Result<Revision::Page> page_ = Revision::Page();
  std::uint64_t begin_ = 0;
  std::optional<catalog::DirectoryWalk> walk_;
};

PublishedDirectory::PublishedDirectory(std::shared_ptr<PublishedCore> core,
                                       std::shared_ptr<const Revision> revision, NodeId id,
                                       NodeId parent)
    : core_(std::move(core)),
      revision_(std::move(revision)),
      id_(id),
      parent_(revision_->shown(id) == kRootNode ? kRootNode : revision_->shown(parent)) {}

void PublishedDirectory::read(std::uint64_t position, RequestContext ctx, Visit visit,
                              std::function<void(Status)> done) {
  std::make_shared<Reading>(shared_from_this(), position, core_->patient(std::move(ctx)),
                            std::move(visit), std::move(done))
      ->run();
}

std::shared_ptr<const PublishedDirectory::Window> PublishedDirectory::kept(
    std::uint64_t position) const {
  const auto state = state_.lock();
  for (const auto& window : state->windows) {
    const bool past = window->last && position >= window->end();
    if (position >= window->begin && (position < window->end() || past)) return window;
  }
  return nullptr;
}

std::shared_ptr<const PublishedDirectory::Window> PublishedDirectory::add(
    std::uint64_t begin, std::vector<catalog::ListedEntry> entries, bool last) {
  auto window = std::make_shared<Window>();
  window->begin = begin;
  window->last = last;
  window->entries = std::move(entries);
  const auto state = state_.lock();
  if (!last) state->begins.emplace(window->end(), window->entries.back().name);
  state->windows.push_front(window);
  if (state->windows.size() > kWindows) state->windows.pop_back();
  return window;
}

void PublishedDirectory::show(const Window& window, std::uint64_t position, const Visit& visit,
                              const std::function<void(Status)>& done) const {
  const auto hold = core_->current.hold(revision_);
  const auto ttl = hold ? kPublishedTtl : std::chrono::milliseconds{0};
  for (; position < window.end(); ++position) {
    const auto& [name, attributes] = window.entries[position - window.begin];
    Item item;
    item.name = name;
    item.id = revision_->shown(attributes.id);
    item.type = attributes.type;
    if (const auto size = core_->objects->size(attributes.id, attributes.size)) {
      Attributes known = attributes;
      known.size = *size;
      item.node = core_->view.node(*revision_, known, ttl);
    }
    if (!visit(item)) break;
  }
  done({});
  // What the kernel keeps of the answer belongs to a revision that it was told to forget already.
  const bool outdated = !hold && core_->current.get()->switches() > revision_->switches();
  if (outdated) core_->notifier.post({{}, {id()}});
}

}  // namespace lazyvol::volume
