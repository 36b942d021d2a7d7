// The way from a root to a leaf, one page at a time.
//
// Pure: the caller brings each page, from memory at once or from a continuation later.
//
//   Descent descent(Tree::names, name_key(directory, name));
//   for (page = root;; page = fetch(*step.next)) {
//     step = descent.enter(page);                 // Errors: corrupt
//     if (!step.next) break;                      // step.absent, or `page` is the leaf
//   }
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "catalog/frame.h"
#include "catalog/page.h"
#include "lazyvol/error.h"

namespace lazyvol::catalog {

class Descent {
 public:
  enum class PastEnd : std::uint8_t { absent, last_page };

  /// Goes to the page of `stop_level` that holds the first key at or after `key`. When all keys are
  /// smaller there is none, or, if the caller likes, it is the last.
  Descent(Tree tree, std::string key, unsigned stop_level = 0, PastEnd past_end = PastEnd::absent);

  struct Step {
    std::optional<FrameRef> next;  ///< the page to bring
    bool absent = false;           ///< there is no such page
  };
  /// Takes the root, or the page that was asked for. Neither `next` nor `absent`: the page is the
  /// one that was sought. Errors: corrupt (also for a page of the wrong tree or level).
  Result<Step> enter(std::string_view page);

  const std::string& key() const { return key_; }
  /// Of the page that was sought: true when no page of its level follows.
  bool is_last() const { return is_last_; }
  /// Of the page that was sought: its place and key in the page above; nothing for the root.
  const std::optional<FrameRef>& frame() const { return frame_; }

 private:
  Tree tree_;
  std::string key_;
  unsigned stop_level_;
  PastEnd past_end_;
  std::optional<unsigned> level_;  ///< of the page that was entered last
  bool is_last_ = true;
  std::optional<FrameRef> frame_;
};

}  // namespace lazyvol::catalog
