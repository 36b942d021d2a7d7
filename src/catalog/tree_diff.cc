#include "catalog/tree_diff.h"

#include "catalog/key.h"
#include "catalog/leaf_page.h"

namespace lazyvol::catalog {
namespace {

int order(const Entry& a, const Entry& b) {
  if (a.directory != b.directory) return a.directory < b.directory ? -1 : 1;
  return a.name.compare(b.name);
}

Entry take(std::deque<Entry>& from) {
  Entry entry = std::move(from.front());
  from.pop_front();
  return entry;
}

}  // namespace

TreeDiff::TreeDiff(std::string before, std::string after)
    : roots_{std::move(before), std::move(after)} {}

// A tree that led to one leaf twice would be endless work for few bytes; its keys give it away.
Status TreeDiff::take_entries(Side& side, std::string_view page) {
  LAZYVOL_TRY_ASSIGN(const LeafPage leaf, LeafPage::open(page));
  LAZYVOL_TRY_ASSIGN(std::vector<Entry> entries, leaf.entries());
  if (entries.empty()) return {};
  if (name_key(entries.front().directory, entries.front().name) <= side.last_key) {
    return damaged_page("order");
  }
  side.last_key = name_key(entries.back().directory, entries.back().name);
  for (Entry& entry : entries) side.entries.push_back(std::move(entry));
  return {};
}

Status TreeDiff::open(Side& side, std::string_view page, const std::optional<unsigned>& level) {
  base::ByteReader in(page);
  const PageHeader header = read_page_header(in);
  if (in.failed() || header.tree != Tree::names || (level && header.level != *level)) {
    return damaged_page("out of place");
  }
  if (header.level == 0) return take_entries(side, page);
  LAZYVOL_TRY_ASSIGN(const InteriorPage interior, InteriorPage::open(page));
  LAZYVOL_TRY_ASSIGN(const std::vector<Child> children, interior.children());
  side.pages.insert(side.pages.begin(), children.begin(), children.end());
  side.levels.insert(side.levels.begin(), children.size(), header.level - 1);
  return {};
}

bool TreeDiff::drop_equal_pages() {
  auto& [a, b] = sides_;
  if (a.pages.empty() || b.pages.empty() ||
      a.pages.front().frame.hash != b.pages.front().frame.hash)
    return false;
  for (Side* side : {&a, &b}) {
    side->last_key = side->pages.front().last_key;
    side->pages.pop_front();
    side->levels.pop_front();
  }
  return true;
}

// A change, if the entries at hand tell one; equal entries are dropped on the way.
std::optional<Change> TreeDiff::compare() {
  auto& [a, b] = sides_;
  while (!a.entries.empty() && !b.entries.empty()) {
    const int found = order(a.entries.front(), b.entries.front());
    if (found < 0) return Change{take(a.entries), std::nullopt};
    if (found > 0) return Change{std::nullopt, take(b.entries)};
    Change both{take(a.entries), take(b.entries)};
    if (both.before != both.after) return both;
  }
  // What one side has left stands before the other side's next page when that page is equal to this
  // side's next one, and when there is none.
  const bool in_step =
      a.pages.empty() == b.pages.empty() &&
      (a.pages.empty() || a.pages.front().frame.hash == b.pages.front().frame.hash);
  if (!a.entries.empty() && (in_step || b.pages.empty())) {
    return Change{take(a.entries), std::nullopt};
  }
  if (!b.entries.empty() && (in_step || a.pages.empty())) {
    return Change{std::nullopt, take(b.entries)};
  }
  return std::nullopt;
}

TreeDiff::Side& TreeDiff::to_open() {
  auto& [a, b] = sides_;
  if (a.pages.empty() || !a.entries.empty()) return b;
  if (b.pages.empty() || !b.entries.empty()) return a;
  if (a.levels.front() != b.levels.front()) return a.levels.front() > b.levels.front() ? a : b;
  return a.pages.front().last_key <= b.pages.front().last_key ? a : b;
}

Result<TreeDiff::Step> TreeDiff::next() {
  if (!started_) {
    started_ = true;
    if (roots_[0] == roots_[1]) return Step(Done{});
    for (std::size_t i = 0; i < 2; ++i) {
      LAZYVOL_TRY(open(sides_[i], roots_[i], std::nullopt));
      roots_[i].clear();
    }
  }
  if (waiting_ != nullptr) return Step(Wanted{*wanted_, waiting_ == &sides_[0]});
  for (;;) {
    if (auto change = compare()) return Step(*std::move(change));
    auto& [a, b] = sides_;
    if (a.entries.empty() && b.entries.empty()) {
      if (drop_equal_pages()) continue;
      if (a.empty() && b.empty()) return Step(Done{});
    }
    waiting_ = &to_open();
    wanted_ = waiting_->pages.front().frame;
    return Step(Wanted{*wanted_, waiting_ == &sides_[0]});
  }
}

Status TreeDiff::supply(std::string page) {
  if (waiting_ == nullptr) return Error{Code::invalid_argument, "a page that nobody asked for"};
  Side& side = *waiting_;
  waiting_ = nullptr;
  const unsigned level = side.levels.front();
  side.pages.pop_front();
  side.levels.pop_front();
  return open(side, page, level);
}

std::vector<FrameRef> TreeDiff::upcoming(std::size_t limit) const {
  // Pages of one level that only one side has; each side's next ones are looked through in step.
  std::vector<FrameRef> result;
  const auto& [a, b] = sides_;
  std::size_t i = 0, j = 0;
  while (result.size() < limit && i < a.pages.size() && j < b.pages.size()) {
    if (a.pages[i].frame.hash == b.pages[j].frame.hash) {
      ++i, ++j;
    } else if (a.pages[i].last_key < b.pages[j].last_key) {
      result.push_back(a.pages[i++].frame);
    } else {
      result.push_back(b.pages[j++].frame);
    }
  }
  return result;
}

}  // namespace lazyvol::catalog
