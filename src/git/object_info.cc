#include "git/object_info.h"

#include <charconv>

#include "git/object_id.h"

namespace lazyvol::git {

void add_capability(Capabilities& capabilities, std::string_view line) {
  constexpr std::string_view kFormat = "object-format=";
  const std::string_view name = line.substr(0, line.find('='));
  if (line == "version 2") capabilities.version2 = true;
  if (name == "object-info") capabilities.object_info = true;
  if (line.starts_with(kFormat)) capabilities.object_format = line.substr(kFormat.size());
  if (name == "fetch") capabilities.filter = line.find("filter") != std::string_view::npos;
}

std::string object_info_request(std::span<const std::string> ids, const std::string& format) {
  std::string out = pkt_line("command=object-info") + pkt_line("object-format=" + format);
  out.append(kPktDelimiter).append(pkt_line("size"));
  for (const std::string& id : ids) out += pkt_line("oid " + id);
  return out.append(kPktFlush);
}

Status add_object_info(Sizes& sizes, std::string_view line) {
  const auto damaged = [] {
    return Error{Code::corrupt, "the git server sent an answer that tells no size"};
  };
  if (line == "size") return {};
  const auto space = line.find(' ');
  if (space == std::string_view::npos || !is_object_id(line.substr(0, space))) return damaged();
  const std::string_view text = line.substr(space + 1);
  if (text.empty()) return {};
  std::uint64_t size = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, size);
  if (error != std::errc() || rest != end || size > INT64_MAX) return damaged();
  sizes.emplace(line.substr(0, space), size);
  return {};
}

}  // namespace lazyvol::git
