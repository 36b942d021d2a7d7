// What changed between two revisions: the entries, found without reading what is equal in both.
//
// Pure: next() says which page it needs, the caller brings it whenever it likes.
//
//   for (;;) {
//     step = diff.next();                                       // Errors: corrupt
//     if (wanted = get_if<Wanted>(&step)) diff.supply(fetch(wanted->frame));
//     else if (change = get_if<Change>(&step)) …
//     else break;                                               // Done
//   }
#pragma once

#include <array>
#include <deque>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "catalog/entry.h"
#include "catalog/interior_page.h"
#include "lazyvol/error.h"

namespace lazyvol::catalog {

/// A name that is only in the old revision, only in the new one, or in both with other attributes
/// or content. (directory, name) are those of the entry that is there.
struct Change {
  std::optional<Entry> before, after;
};

/// Walks two trees of names side by side. Equal pages at the front of both are dropped unread; else
/// the higher page, or the one that ends first, is opened. Pages are compared by their hash; so two
/// publishers whose zstd differ cost time, not truth. Thread rule: one thread at a time.
class TreeDiff {
 public:
  /// The roots of the trees of names.
  TreeDiff(std::string before, std::string after);

  struct Wanted {
    FrameRef frame;
    bool before = false;  ///< of the old revision
  };
  struct Done {};
  using Step = std::variant<Wanted, Change, Done>;

  /// The next thing to do. After Wanted, the page must be supplied first. Errors: corrupt.
  Result<Step> next();
  /// The page that was wanted. Errors: corrupt.
  Status supply(std::string page);

  /// Up to `limit` pages that both sides have in different versions and that will be wanted soon,
  /// for a caller that fetches several at a time.
  std::vector<FrameRef> upcoming(std::size_t limit) const;

 private:
  struct Side {
    std::deque<Entry> entries;  ///< before all of `pages`
    std::deque<Child> pages;    ///< unopened
    std::deque<unsigned> levels;
    std::string last_key;  ///< of the entries so far: they must rise
    bool empty() const { return entries.empty() && pages.empty(); }
  };

  Status open(Side& side, std::string_view page, const std::optional<unsigned>& level);
  static Status take_entries(Side& side, std::string_view page);
  bool drop_equal_pages();
  std::optional<Change> compare();
  Side& to_open();

  std::array<Side, 2> sides_;
  std::array<std::string, 2> roots_;
  bool started_ = false;
  Side* waiting_ = nullptr;
  std::optional<FrameRef> wanted_;
};

}  // namespace lazyvol::catalog
