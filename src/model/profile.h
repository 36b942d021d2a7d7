// What a workload reads first: paths, and of long files the ranges. Recorded once, replayed at
// later mounts, and given to the publisher.
//
// The text form, version 1, is a line "lazyvol-profile 1", then one line an item, in the order of
// the first read: the percent-encoded path (of a directory with a '/' at its end), and for a file
// the half-open ranges of bytes, if not all of it is meant:
//   bin/tool 0-65536,1048576-1114112
//   lib/
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lazyvol/error.h"

namespace lazyvol::model {

struct ProfileRange {
  std::uint64_t begin = 0, end = 0;  ///< begin < end
  bool operator==(const ProfileRange&) const = default;
};

struct ProfileItem {
  std::string path;  ///< relative to the mount's root, without a '/' at either end; "" is the root
  bool directory = false;            ///< its names were looked at
  std::vector<ProfileRange> ranges;  ///< of a file, ascending and apart; empty: all of it
  bool operator==(const ProfileItem&) const = default;
};

/// Of its ranges together; 0 when all of the file is meant. Pure.
std::uint64_t bytes_of(const ProfileItem& item);

using Profile = std::vector<ProfileItem>;

inline constexpr std::uint64_t kMaxProfileBytes = 64U << 20;
inline constexpr std::size_t kMaxProfileItems = 1'000'000;
inline constexpr std::size_t kMaxProfileRanges = 1'000'000;  ///< of one file

/// Pure. format_profile(p) parses back to p.
std::string format_profile(const Profile& profile);

/// Pure. Text without the first line is a plain list of files, one raw path a line; "./" and '/' in
/// front of them are dropped. Errors: too_large; invalid_argument, with the number of the line.
Result<Profile> parse_profile(std::string_view text);

}  // namespace lazyvol::model
