// Which links of a directory index are entries of that directory, and under what name.
//
// Source of the rules: RFC 3986, section 5 (reference resolution), narrowed to direct children.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lazyvol/entry.h"
#include "lazyvol/error.h"
#include "lazyvol/source.h"

namespace lazyvol::source {

/// The longest index body, and the most names in one directory, that are accepted.
inline constexpr std::uint64_t kMaxIndexBytes = 256ULL << 20;
inline constexpr std::size_t kMaxIndexEntries = 4'000'000;

struct ResolvedLink {
  enum class Kind {
    child,      ///< `name` and `directory` say which
    elsewhere,  ///< parent, sort order, another host, deeper: to be skipped without a word
    refused,    ///< meant as a child, but no name can be made of it
  };
  Kind kind = Kind::elsewhere;
  std::string name;        ///< decoded once, valid_name() holds
  bool directory = false;  ///< the link ended in '/'
};

/// The URL of a listing, against which its links are resolved. Immutable.
class IndexBase {
 public:
  /// `url` is absolute and its path ends in '/'. Errors: invalid_argument.
  static Result<IndexBase> parse(std::string_view url);

  /// `href` as it stands in the document, entities already decoded.
  ResolvedLink resolve(std::string_view href) const;

 private:
  std::string scheme_, authority_;       // lower case
  std::vector<std::string> components_;  // decoded
};

/// Gathers the entries of one listing. Not thread-safe.
class EntryCollector {
 public:
  /// Refuses (and counts) an invalid name. The first entry of a name wins, except that a repeated
  /// link may bring the token that the first one lacked (Apache's IconsAreLinks). False when there
  /// are more than kMaxIndexEntries.
  bool add(RemoteEntry entry);
  void refuse() { ++refused_; }
  /// Entries in byte order of names, each name once.
  Listing finish() &&;

 private:
  std::vector<RemoteEntry> entries_;
  std::uint64_t refused_ = 0;
};

}  // namespace lazyvol::source
