// The sizes of blobs without the blobs: the object-info command of protocol version 2
// (gitprotocol-v2(5)). Pure functions; connections are upload_pack.h's.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "git/pkt_line.h"
#include "lazyvol/error.h"

namespace lazyvol::git {

/// The most objects of one request: servers refuse long bodies (nginx: 1 MiB unless told).
inline constexpr std::size_t kObjectInfoBatch = 16'000;

/// What the server says it can, from the lines before its first flush.
struct Capabilities {
  bool version2 = false;
  bool object_info = false;
  bool filter = false;
  std::string object_format = "sha1";
};
/// Takes one line of it.
void add_capability(Capabilities& capabilities, std::string_view line);

/// The request for the sizes of `ids`.
std::string object_info_request(std::span<const std::string> ids, const std::string& format);

/// Takes one line of the answer, in `sizes`: "size" (the attribute, first), then "ID SIZE", or
/// "ID " of an object that the server does not have. Errors: corrupt.
using Sizes = std::map<std::string, std::uint64_t, std::less<>>;
Status add_object_info(Sizes& sizes, std::string_view line);

}  // namespace lazyvol::git
