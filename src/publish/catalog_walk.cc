#include "publish/catalog_walk.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/bytes.h"
#include "catalog/key.h"
#include "catalog/leaf_page.h"
#include "catalog/page.h"
#include "publish/parallel.h"
#include "publish/volume_reader.h"

namespace lazyvol::publish {

using catalog::Tree;

namespace {

/// Of a page in its place: what is the same page elsewhere has to be looked at again.
catalog::Digest identity(const WalkedPage& page) {
  base::ByteWriter out;
  out.byte(static_cast<std::uint8_t>(page.tree));
  out.raw(page.frame->pack.view());
  out.raw(page.frame->hash.view());
  out.number(page.frame->offset);
  out.number(page.frame->stored);
  out.number(page.frame->raw);
  out.text(page.after);
  out.text(page.last_key.value_or(""));
  return catalog::sha256(out.view());
}

/// Keys that rise from row to row, of which the first and the last are given.
Status check_range(const WalkedPage& page, const std::string& first, const std::string& last) {
  if (first <= page.after) return catalog::damaged_page("keys before its place");
  if (page.last_key && last != *page.last_key) return catalog::damaged_page("another last key");
  return {};
}

Error as_error(Error error, const WalkedPage& page) {
  return page.frame ? error : error.in("the root page in the head");
}

}  // namespace

Fold fold_runs(const std::vector<catalog::IdRun>& runs) {
  Fold sum;
  for (const catalog::IdRun& run : runs) {
    base::ByteWriter out;
    out.number(run.first);
    out.number(run.last);
    out.number(run.leaf.directory);
    out.raw(run.leaf.name);
    const catalog::Digest digest = catalog::sha256(out.view());
    Fold one;
    static_assert(sizeof one.lanes == sizeof digest.bytes);
    std::memcpy(one.lanes.data(), digest.bytes.data(), sizeof one.lanes);
    sum.add(one);
  }
  return sum;
}

CatalogWalk::CatalogWalk(Store& store, CatalogVisitor& visitor, const Options& options,
                         std::stop_token stop)
    : store_(store),
      visitor_(visitor),
      options_{thread_count(options.threads), options.strict},
      stop_(std::move(stop)) {}

Result<CatalogWalk::Outcome> CatalogWalk::walk(Tree tree, const std::string& root) {
  return enter(WalkedPage{tree, std::nullopt, {}, std::nullopt}, root, std::nullopt);
}

Result<CatalogWalk::Outcome> CatalogWalk::damaged(const WalkedPage& page, const Error& error) {
  LAZYVOL_TRY(visitor_.damaged(page, as_error(error, page)));
  return Outcome{{}, false};
}

Result<CatalogWalk::Outcome> CatalogWalk::enter(const WalkedPage& page, std::string_view bytes,
                                                std::optional<unsigned> level) {
  if (stop_.stop_requested()) return Error{Code::cancelled, "stopped"};
  base::ByteReader in(bytes);
  const catalog::PageHeader header = catalog::read_page_header(in);
  if (in.failed() || header.tree != page.tree || (level && header.level != *level)) {
    return damaged(page, catalog::damaged_page("out of place"));
  }
  return header.level == 0 ? leaf(page, bytes) : interior(page, bytes);
}

Result<CatalogWalk::Outcome> CatalogWalk::leaf(const WalkedPage& page, std::string_view bytes) {
  std::vector<catalog::IdRun> runs;
  std::vector<catalog::Entry> entries;
  const auto decode = [&]() -> Status {
    if (page.tree == Tree::ids) {
      LAZYVOL_TRY_ASSIGN(const auto opened, catalog::IdsPage::open(bytes));
      LAZYVOL_TRY_ASSIGN(runs, opened.runs());
      if (runs.empty()) return page.frame ? catalog::damaged_page("no row") : Status();
      // A run holds more ids than its key: all of them must be past the page before.
      return check_range(page, catalog::id_key(runs.front().first), run_key(runs.back()));
    }
    LAZYVOL_TRY_ASSIGN(const auto opened, catalog::LeafPage::open(bytes));
    if (options_.strict) LAZYVOL_TRY(opened.validate());
    LAZYVOL_TRY_ASSIGN(entries, opened.entries());
    if (entries.empty()) return page.frame ? catalog::damaged_page("no row") : Status();
    runs = catalog::id_runs(entries);
    return check_range(page, catalog::name_key(entries.front().directory, entries.front().name),
                       catalog::name_key(entries.back().directory, entries.back().name));
  };
  if (const Status status = decode(); !status.ok()) return damaged(page, status.error());
  LAZYVOL_TRY(page.tree == Tree::ids ? visitor_.ids(runs) : visitor_.names(entries));
  return Outcome{fold_runs(runs), true};
}

Result<CatalogWalk::Outcome> CatalogWalk::interior(const WalkedPage& page, std::string_view bytes) {
  const auto opened = catalog::InteriorPage::open(bytes);
  if (!opened.ok()) return damaged(page, opened.error());
  auto children = opened->children();
  if (!children.ok()) return damaged(page, children.error());
  if (children->empty()) return damaged(page, catalog::damaged_page("no child"));
  const Status range = check_range(page, children->front().last_key, children->back().last_key);
  if (!range.ok()) return damaged(page, range.error());
  std::vector<Outcome> outcomes(children->size());
  const unsigned level = opened->level() - 1;
  const auto visit = [&](std::size_t i) -> Status {
    const catalog::Child& child = (*children)[i];
    const WalkedPage place{page.tree, child.frame,
                           i == 0 ? page.after : (*children)[i - 1].last_key, child.last_key};
    LAZYVOL_TRY_ASSIGN(outcomes[i], below(place, level));
    return {};
  };
  // Leaves are most of the work; above them the way is short.
  LAZYVOL_TRY(parallel_for(children->size(), level == 0 ? options_.threads : 1, stop_, visit));
  Outcome sum;
  for (const Outcome& outcome : outcomes) {
    sum.runs.add(outcome.runs);
    sum.whole = sum.whole && outcome.whole;
  }
  return sum;
}

Result<CatalogWalk::Outcome> CatalogWalk::below(const WalkedPage& page, unsigned level) {
  const catalog::Digest key = identity(page);
  {
    const auto walked = walked_.lock();
    if (const auto found = walked->find(key); found != walked->end()) {
      return Outcome{found->second, true};
    }
  }
  LAZYVOL_TRY(visitor_.page(*page.frame));
  const auto bytes = read_frame(store_, *page.frame);
  if (!bytes.ok()) return damaged(page, bytes.error());
  LAZYVOL_TRY_ASSIGN(const Outcome outcome, enter(page, *bytes, level));
  if (outcome.whole) walked_.lock()->emplace(key, outcome.runs);
  return outcome;
}

}  // namespace lazyvol::publish
