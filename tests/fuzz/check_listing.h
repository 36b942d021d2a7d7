// What must hold of every listing, whatever bytes it was read from.
#pragma once

#include "fuzz_target.h"
#include "lazyvol/source.h"

namespace lazyvol::fuzzing {

inline void check_listing(const Result<Listing>& listing) {
  if (!listing.ok()) {
    require(listing.error().code == Code::corrupt || listing.error().code == Code::too_large,
            "only corrupt or too_large");
    require(!listing.error().message.empty(), "an error has a message");
    for (const char c : listing.error().message)
      require(c >= ' ' && c <= '~', "one printable line");
    return;
  }
  const std::string* before = nullptr;
  for (const RemoteEntry& entry : listing->entries) {
    require(valid_name(entry.name), "names are valid");
    require(before == nullptr || *before < entry.name, "names are sorted and unique");
    require(entry.type != NodeType::symlink, "a web index shows no links");
    require(entry.validator.empty() || (entry.size && entry.mtime_ns), "a validator has its parts");
    require(entry.type == NodeType::file || (!entry.size && entry.validator.empty()),
            "directories have no content");
    require(entry.token.size() <= 160, "tokens are short");
    before = &entry.name;
  }
}

}  // namespace lazyvol::fuzzing
