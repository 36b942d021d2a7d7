#include "volume/published_walk.h"

#include <utility>

#include "catalog/key.h"
#include "catalog/leaf_page.h"

namespace lazyvol::volume {

void PublishedWalk::begin() {
  if (at_) return;
  at_ = At{waiting_.top(), catalog::name_key(waiting_.top(), {})};
  waiting_.pop();
}

void PublishedWalk::next(const RequestContext& ctx, Done done) {
  begin();
  revision_->leaf(catalog::Tree::names, at_->key, ctx,
                  [this, ctx, done = std::move(done)](Result<Revision::Page> page) {
                    if (!page.ok()) {
                      at_.reset();
                      return done(page.error());
                    }
                    auto entries = take(*page);
                    const std::string& ahead = at_ ? at_->key
                                               : waiting_.empty()
                                                   ? std::string()
                                                   : catalog::name_key(waiting_.top(), {});
                    if (!ahead.empty()) revision_->fetch_ahead(ahead, ctx);
                    done(std::move(entries));
                  });
}

Result<PublishedWalk::Entries> PublishedWalk::next_at_hand() {
  begin();
  const auto page = revision_->leaf_at_hand(at_->key);
  if (page.ok() && *page) return take(**page);
  at_.reset();
  if (!page.ok()) return page.error();
  return Entries();
}

Result<PublishedWalk::Entries> PublishedWalk::take(const Revision::Page& page) {
  Entries entries;
  const Status taken = page ? take(*page, entries) : Status();
  if (!page || !taken.ok()) at_.reset();
  if (!taken.ok()) return Status(taken).error();
  for (const auto& entry : entries) {
    if (entry.type == NodeType::directory) waiting_.push(entry.id);
  }
  return entries;
}

Status PublishedWalk::take(const std::string& page, Entries& entries) {
  LAZYVOL_TRY_ASSIGN(const auto leaf, catalog::LeafPage::open(page));
  LAZYVOL_TRY_ASSIGN(std::size_t row,
                     leaf.lower_bound(at_->directory, std::string_view(at_->key).substr(8)));
  for (; row < leaf.rows() && leaf.directory(row) == at_->directory; ++row) {
    LAZYVOL_TRY_ASSIGN(catalog::Entry entry, leaf.entry(row));
    entries.push_back(std::move(entry));
  }
  if (row < leaf.rows() || entries.empty()) {
    at_.reset();
  } else {
    at_->key = catalog::key_after(catalog::name_key(at_->directory, entries.back().name));
  }
  return {};
}

}  // namespace lazyvol::volume
