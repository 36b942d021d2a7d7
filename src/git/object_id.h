// The name that git gives an object: a hash in hexadecimal digits.
#pragma once

#include <algorithm>
#include <string_view>

namespace lazyvol::git {

inline constexpr std::size_t kSha1Digits = 40, kSha256Digits = 64;

/// Whether `text` is a whole object id, of either hash, in lower case.
inline bool is_object_id(std::string_view text) {
  return (text.size() == kSha1Digits || text.size() == kSha256Digits) &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

/// The object of no bytes, which is known without asking anybody.
inline bool is_empty_blob(std::string_view id) {
  return id == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391" ||
         id == "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813";
}

}  // namespace lazyvol::git
