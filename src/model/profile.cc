#include "model/profile.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

#include "lazyvol/entry.h"
#include "model/source_url.h"

namespace lazyvol::model {
namespace {

constexpr std::string_view kFirstLine = "lazyvol-profile 1";

std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// "0-4096,8192-12288"
std::optional<std::vector<ProfileRange>> parse_ranges(std::string_view text) {
  std::vector<ProfileRange> ranges;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    const std::string_view one = text.substr(0, comma);
    if (comma != std::string_view::npos && comma + 1 == text.size()) return std::nullopt;
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
    const std::size_t dash = one.find('-');
    if (dash == std::string_view::npos || ranges.size() == kMaxProfileRanges) return std::nullopt;
    const auto begin = number(one.substr(0, dash)), end = number(one.substr(dash + 1));
    if (!begin || !end || *begin >= *end) return std::nullopt;
    if (!ranges.empty() && *begin <= ranges.back().end) return std::nullopt;
    ranges.push_back({*begin, *end});
  }
  return ranges;
}

Result<ProfileItem> parse_item(std::string_view line) {
  const auto wrong = [&](const char* what) { return Error{Code::invalid_argument, what}; };
  ProfileItem item;
  const std::size_t space = line.find(' ');
  std::string_view path = line.substr(0, space);
  if (path.ends_with('/')) {
    item.directory = true;
    path.remove_suffix(1);
  }
  LAZYVOL_TRY_ASSIGN(item.path, percent_decode(path));
  if (item.path.size() > kMaxPath) return wrong("the path is too long");
  if (item.path.find('\0') != std::string::npos) return wrong("a NUL in the path");
  if (item.path.starts_with('/') || item.path.ends_with('/')) return wrong("the path is not clean");
  if (item.path.empty() && !item.directory) return wrong("the path is missing");
  if (space == std::string_view::npos) return item;
  const auto ranges = parse_ranges(line.substr(space + 1));
  if (!ranges || ranges->empty() || item.directory) {
    return wrong("not ranges of a file (BEGIN-END,...)");
  }
  item.ranges = *ranges;
  return item;
}

ProfileItem plain_item(std::string_view line) {
  while (line.starts_with("./")) line.remove_prefix(2);
  while (line.starts_with('/')) line.remove_prefix(1);
  while (line.ends_with('/')) line.remove_suffix(1);
  return {std::string(line), false, {}};
}

}  // namespace

std::uint64_t bytes_of(const ProfileItem& item) {
  std::uint64_t bytes = 0;
  for (const auto& range : item.ranges) bytes += range.end - range.begin;
  return bytes;
}

std::string format_profile(const Profile& profile) {
  std::string text = fmt::format("{}\n", kFirstLine);
  for (const ProfileItem& item : profile) {
    text += percent_encode_path(item.path);
    if (item.directory) text += '/';
    char before = ' ';
    for (const ProfileRange& range : item.ranges) {
      text += fmt::format("{}{}-{}", before, range.begin, range.end);
      before = ',';
    }
    text += '\n';
  }
  return text;
}

Result<Profile> parse_profile(std::string_view text) {
  if (text.size() > kMaxProfileBytes) return Error{Code::too_large, "longer than 64 MiB"};
  Profile profile;
  std::string_view rest = text;
  const bool plain = take_line(rest) != kFirstLine;
  if (plain) rest = text;
  for (std::size_t number = plain ? 1 : 2; !rest.empty(); ++number) {
    const std::string_view line = take_line(rest);
    if (line.empty()) continue;
    if (profile.size() == kMaxProfileItems) {
      return Error{Code::too_large, fmt::format("more than {} items", kMaxProfileItems)};
    }
    if (plain) {
      auto item = plain_item(line);
      const bool possible = !item.path.empty() && item.path.size() <= kMaxPath &&
                            item.path.find('\0') == std::string::npos;
      if (possible) profile.push_back(std::move(item));  // else it names nothing anywhere
      continue;
    }
    auto item = parse_item(line);
    if (!item.ok()) return item.error().in(fmt::format("line {}", number));
    profile.push_back(*std::move(item));
  }
  return profile;
}

}  // namespace lazyvol::model
