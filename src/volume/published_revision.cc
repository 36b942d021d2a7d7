#include "volume/published_revision.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "catalog/ids_page.h"
#include "catalog/interior_page.h"
#include "catalog/key.h"
#include "catalog/leaf_page.h"

namespace lazyvol::volume {
namespace {

using catalog::Descent;
using catalog::Entry;
using catalog::LeafPage;
using catalog::Tree;
using fetch::FrameUse;

constexpr std::size_t kMostLeavesAhead = 64;  // about 1 MiB as they are stored

Result<std::optional<Entry>> entry_named(const Revision::Page& page, NodeId directory,
                                         const std::string& name) {
  if (!page) return std::optional<Entry>();
  LAZYVOL_TRY_ASSIGN(const LeafPage leaf, LeafPage::open(*page));
  LAZYVOL_TRY_ASSIGN(const auto row, leaf.find(directory, name));
  if (!row) return std::optional<Entry>();
  LAZYVOL_TRY_ASSIGN(Entry entry, leaf.entry(*row));
  return std::optional(std::move(entry));
}

// The tree of ids said that the leaf has it.
Result<std::optional<Entry>> entry_with_id(const Revision::Page& page, NodeId id) {
  if (!page) return catalog::damaged_page("an id without a leaf");
  LAZYVOL_TRY_ASSIGN(const LeafPage leaf, LeafPage::open(*page));
  LAZYVOL_TRY_ASSIGN(const auto row, leaf.find_id(id));
  if (!row) return catalog::damaged_page("an id without an entry");
  LAZYVOL_TRY_ASSIGN(Entry entry, leaf.entry(*row));
  return std::optional(std::move(entry));
}

Result<std::optional<catalog::IdRun>> run_of(const Revision::Page& page, NodeId id) {
  if (!page) return std::optional<catalog::IdRun>();
  LAZYVOL_TRY_ASSIGN(const catalog::IdsPage runs, catalog::IdsPage::open(*page));
  return runs.find(id);
}

}  // namespace

Revision::Revision(catalog::HeadDocument document, std::shared_ptr<fetch::PublishedFetcher> fetcher,
                   std::uint64_t switches)
    : document_(std::move(document)),
      fetcher_(std::move(fetcher)),
      switches_(switches),
      names_(std::make_shared<const std::string>(document_.head.roots.names)),
      ids_(std::make_shared<const std::string>(document_.head.roots.ids)) {}

void Revision::descend(Descent descent, Page page, const RequestContext& ctx,
                       Done<Page> done) const {
  for (;;) {
    const auto step = descent.enter(*page);
    if (!step.ok()) return done(step.error());
    if (step->absent) return done(Page());
    if (!step->next) return done(std::move(page));
    page = fetcher_->frames().at_hand(*step->next, FrameUse::page);
    if (page) continue;
    return fetcher_->frames().get(*step->next, FrameUse::page, ctx,
                                  [self = shared_from_this(), descent = std::move(descent), ctx,
                                   done = std::move(done)](Result<Page> got) {
                                    if (!got.ok()) return done(got.error());
                                    self->descend(descent, *std::move(got), ctx, done);
                                  });
  }
}

void Revision::leaf(Tree tree, std::string key, const RequestContext& ctx, Done<Page> done) const {
  descend(Descent(tree, std::move(key)), tree == Tree::names ? names_ : ids_, ctx, std::move(done));
}

void Revision::find(NodeId directory, const std::string& name, const RequestContext& ctx,
                    Done<std::optional<Entry>> done) const {
  leaf(Tree::names, catalog::name_key(directory, name), ctx,
       [directory, name, done = std::move(done)](const Result<Page>& page) {
         if (!page.ok()) return done(page.error());
         done(entry_named(*page, directory, name));
       });
}

void Revision::find(NodeId id, const RequestContext& ctx, Done<std::optional<Entry>> done) const {
  leaf(Tree::ids, catalog::id_key(id), ctx,
       [self = shared_from_this(), id, ctx, done = std::move(done)](const Result<Page>& page) {
         if (!page.ok()) return done(page.error());
         self->find_in_names(id, *page, ctx, done);
       });
}

void Revision::find_in_names(NodeId id, const Page& ids, const RequestContext& ctx,
                             Done<std::optional<Entry>> done) const {
  const auto run = run_of(ids, id);
  if (!run.ok()) return done(run.error());
  if (!*run) return done(std::optional<Entry>());
  const catalog::Place& place = (*run)->leaf;
  leaf(Tree::names, catalog::name_key(place.directory, place.name), ctx,
       [id, done = std::move(done)](const Result<Page>& page) {
         if (!page.ok()) return done(page.error());
         done(entry_with_id(*page, id));
       });
}

void Revision::locate(NodeId directory, std::string path, const RequestContext& ctx,
                      Done<std::optional<Entry>> done) const {
  if (path.empty()) return done(std::optional<Entry>());
  const auto slash = std::min(path.find('/'), path.size());
  const std::string name = path.substr(0, slash);
  path.erase(0, slash + 1);
  find(directory, name, ctx,
       [self = shared_from_this(), name, rest = std::move(path), ctx,
        done = std::move(done)](Result<std::optional<Entry>> found) {
         if (!found.ok() || rest.empty()) {
           if (found.ok() && !*found) {
             return done(Error{Code::not_found, name + ": no such entry"});
           }
           return done(std::move(found));
         }
         if (!*found) return done(Error{Code::not_found, name + ": no such entry"});
         if ((*found)->type != NodeType::directory) {
           return done(Error{Code::not_directory, name + ": not a directory"});
         }
         self->locate((*found)->id, rest, ctx, done);
       });
}

// Down to where the descent stops, as far as pages are at hand. The answer may be null: absent.
Result<std::optional<Revision::Page>> Revision::page_at_hand(Descent& descent, Page page) const {
  for (;;) {
    LAZYVOL_TRY_ASSIGN(const Descent::Step step, descent.enter(*page));
    if (step.absent) return std::optional(Page());
    if (!step.next) return std::optional(std::move(page));
    page = fetcher_->frames().at_hand(*step.next, FrameUse::page);
    if (!page) return std::optional<Page>();
  }
}

void Revision::bring_ids(std::vector<NodeId> ids, const RequestContext& ctx,
                         std::function<void(Status)> done) const {
  while (!ids.empty()) {
    Descent descent(Tree::ids, catalog::id_key(ids.back()));
    const auto page = page_at_hand(descent, ids_);
    if (!page.ok()) return done(page.error());
    if (!*page) break;
    ids.pop_back();
  }
  if (ids.empty()) return done({});
  const NodeId id = ids.back();
  leaf(Tree::ids, catalog::id_key(id), ctx,
       [self = shared_from_this(), ids = std::move(ids), ctx,
        done = std::move(done)](const Result<Page>& page) {
         if (!page.ok()) return done(page.error());
         auto rest = ids;
         rest.pop_back();
         self->bring_ids(std::move(rest), ctx, done);
       });
}

Result<std::optional<Revision::Page>> Revision::leaf_at_hand(std::string key) const {
  Descent descent(Tree::names, std::move(key));
  return page_at_hand(descent, names_);
}

void Revision::visit_at_hand(NodeId directory, std::string name,
                             const std::function<bool(const catalog::Entry&)>& visit) const {
  for (;;) {
    const auto page = leaf_at_hand(catalog::name_key(directory, name));
    if (!page.ok() || !*page || !**page) return;
    const auto leaf = catalog::LeafPage::open(***page);
    if (!leaf.ok()) return;
    const auto begin = leaf->lower_bound(directory, name);
    if (!begin.ok() || *begin >= leaf->rows()) return;
    for (std::size_t row = *begin; row < leaf->rows(); ++row) {
      const auto entry = leaf->entry(row);
      if (!entry.ok() || !visit(*entry)) return;
      directory = entry->directory;
      name = catalog::key_after(entry->name);
    }
  }
}

// Who goes on in the leaf after the last one reads in order, and the window grows; of another, only
// the leaf itself is fetched, which is at hand if the reader is not done with it. Few large
// requests: half of a window is asked for at once, not one leaf for each that was read.
Result<std::vector<catalog::FrameRef>> Revision::leaves_ahead(const catalog::InteriorPage& interior,
                                                              std::size_t here) const {
  std::vector<catalog::FrameRef> wanted;
  LAZYVOL_TRY_ASSIGN(const catalog::Child reached, interior.child(here));
  std::string before;
  if (here > 0) {
    LAZYVOL_TRY_ASSIGN(const catalog::Child child, interior.child(here - 1));
    before = child.last_key;
  }
  const std::size_t last = interior.rows() - 1;
  auto ahead = ahead_.lock();
  if (ahead->reached == reached.last_key) return wanted;
  const bool in_order =
      here > 0 ? ahead->reached == before : ahead->page_ended && ahead->reached < reached.last_key;
  ahead->reached = reached.last_key;
  ahead->page_ended = here == last;
  ahead->leaves = in_order ? std::min(kMostLeavesAhead, ahead->leaves * 2 + 1) : 0;
  if (!in_order) ahead->until.clear();
  LAZYVOL_TRY_ASSIGN(const catalog::Child middle,
                     interior.child(std::min(last, here + ahead->leaves / 2)));
  if (middle.last_key <= ahead->until) return wanted;
  for (std::size_t i = here; i <= std::min(last, here + ahead->leaves); ++i) {
    LAZYVOL_TRY_ASSIGN(const catalog::Child child, interior.child(i));
    if (child.last_key <= ahead->until) continue;
    wanted.push_back(child.frame);
    ahead->until = child.last_key;
  }
  return wanted;
}

void Revision::fetch_ahead(const std::string& key, RequestContext ctx) const {
  base::ByteReader root(*names_);
  if (catalog::read_page_header(root).level == 0) return;
  Descent descent(Tree::names, key, 1);
  const auto above = page_at_hand(descent, names_);
  if (!above.ok() || !*above || !**above) return;
  const auto interior = catalog::InteriorPage::open(***above);
  if (!interior.ok()) return;
  const auto here = interior->find(key);
  if (!here.ok() || *here >= interior->rows()) return;
  auto wanted = leaves_ahead(*interior, *here);
  if (!wanted.ok() || wanted->empty()) return;
  ctx.priority = Priority::metadata;
  ctx.stop = {};  // for whoever reads on, not for this one
  fetcher_->frames().want(*std::move(wanted), FrameUse::page, std::move(ctx), nullptr);
}

}  // namespace lazyvol::volume
