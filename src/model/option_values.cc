#include "model/option_values.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <utility>

#include "base/units.h"
#include "model/source_url.h"

namespace lazyvol::model {

using Milliseconds = std::chrono::milliseconds;

Error bad(std::string message) {
  return Error{Code::invalid_argument, std::move(message)};
}

Status set(std::uint64_t& field, std::string_view text) {
  LAZYVOL_TRY_ASSIGN(field, base::parse_size(text));
  return {};
}

Status set(double& field, std::string_view text) {
  LAZYVOL_TRY_ASSIGN(field, base::parse_ratio(text));
  return {};
}

Status set(Milliseconds& field, std::string_view text) {
  LAZYVOL_TRY_ASSIGN(field, base::parse_duration(text));
  return {};
}

Status set(bool& field, std::string_view text) {
  const bool yes = text == "true" || text == "yes" || text == "on" || text == "1";
  const bool no = text == "false" || text == "no" || text == "off" || text == "0";
  if (!yes && !no) return bad(fmt::format("'{}' is neither true nor false", text));
  field = yes;
  return {};
}

Status set(std::uint32_t& field, std::string_view text) {
  std::uint32_t value = 0;
  const char* end = text.data() + text.size();
  auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || rest != end) return bad(fmt::format("'{}' is not a number", text));
  field = value;
  return {};
}

Status set_path(std::string& field, std::string_view text) {
  if (text.find('\0') != std::string_view::npos) return bad("a path holds no NUL byte");
  field = text;
  return {};
}

std::string show(std::uint64_t value) {
  return fmt::format("{}", value);
}
std::string show(std::uint32_t value) {
  return fmt::format("{}", value);
}
std::string show(bool value) {
  return value ? "true" : "false";
}
std::string show(const std::string& value) {
  return value;
}

std::string show(double value) {
  std::array<char, 400> text;  // the longest double in fixed notation has about 330 characters
  auto [end, error] =
      std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  return std::string(text.data(), end);
}

std::string show(Milliseconds value) {
  if (value == Milliseconds::max()) return "indefinite";
  if (value.count() % 1000 == 0) return fmt::format("{}s", value.count() / 1000);
  return fmt::format("{}ms", value.count());
}

Status set_mode(std::optional<std::uint32_t>& field, std::string_view text) {
  LAZYVOL_TRY_ASSIGN(const std::uint32_t mode, base::parse_octal_mode(text));
  if (mode > 0777) return bad("only permission bits (up to 0777) may be set");
  field = mode;
  return {};
}

Status set_owner(std::optional<std::uint32_t>& field, std::string_view text) {
  LAZYVOL_TRY(set(field, text));
  if (*field == std::numeric_limits<std::uint32_t>::max()) return bad("not a valid id");
  return {};
}

Status set_prefetch(bool& field, std::string_view text) {
  if (text != "auto" && text != "none")
    return bad(fmt::format("'{}' is neither auto nor none", text));
  field = text == "auto";
  return {};
}

std::string show_prefetch(bool prefetch) {
  return prefetch ? "auto" : "none";
}

Status set_one_of(std::string& field, std::string_view text,
                  std::initializer_list<std::string_view> choices) {
  std::string all;
  for (const std::string_view choice : choices) {
    if (choice == text) {
      field = text;
      return {};
    }
    all.append(all.empty() ? "" : ", ").append(choice);
  }
  return bad(fmt::format("'{}' is none of {}", text, all));
}

Status set_region(std::string& field, std::string_view text) {
  const bool fits = std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
  });
  if (!fits) return bad("a region has letters, digits, '-' and '_' only");
  field = text;
  return {};
}

Status set_revision(std::string& field, std::string_view text) {
  constexpr std::size_t kLongest = 128;
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  };
  if (text.size() > kLongest || text.front() == '.' ||
      !std::all_of(text.begin(), text.end(), fits)) {
    return bad("it must be the number of a revision or the name of a tag");
  }
  field = text;
  return {};
}

Status set_ref(std::string& field, std::string_view text) {
  constexpr std::size_t kLongest = 1024;
  const bool strange = std::any_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f ||
           std::string_view("~^:?*[\\").find(c) != std::string_view::npos;
  });
  if (text.empty() || text.size() > kLongest || text.front() == '-' || strange ||
      text.find("..") != std::string_view::npos || text.find("@{") != std::string_view::npos) {
    return bad("it must be the name of a branch or tag, or the whole id of a commit");
  }
  field = text;
  return {};
}

Status set_interval(Milliseconds& field, std::string_view text) {
  if (text != "never") {
    LAZYVOL_TRY(set(field, text));
  }
  if (text == "never" || field == Milliseconds::max()) field = Milliseconds{0};
  return {};
}

Status add_mirror(std::vector<std::string>& field, std::string_view text) {
  constexpr std::size_t kMost = 16;
  LAZYVOL_TRY_ASSIGN(const auto url, parse_source_url(text));
  if (field.size() == kMost) return bad(fmt::format("at most {} mirrors", kMost));
  field.push_back(url.canonical());
  return {};
}

Status set_subdir(std::string& field, std::string_view text) {
  std::string joined;
  while (!text.empty()) {
    const auto slash = std::min(text.find('/'), text.size());
    const auto part = text.substr(0, slash);
    text.remove_prefix(std::min(slash + 1, text.size()));
    if (part.empty() || part == ".") continue;
    if (part == ".." || part.find('\0') != std::string_view::npos) {
      return bad("it must name a directory inside the volume");
    }
    joined.append(joined.empty() ? "" : "/").append(part);
  }
  field = std::move(joined);
  return {};
}

Status within(std::uint64_t value, std::uint64_t least, std::uint64_t most) {
  const bool mebibytes = least > 0 && least % (1 << 20) == 0;
  if (value < least) {
    return bad(mebibytes ? fmt::format("must be at least {}M", least >> 20)
                         : fmt::format("must be at least {}", least));
  }
  if (value > most) return bad(fmt::format("must be at most {}", most));
  return {};
}

Status set_download_limit(std::optional<std::uint64_t>& field, std::string_view text) {
  constexpr std::uint64_t kLeast = 64 << 10;
  LAZYVOL_TRY(set(field, text));
  if (*field != 0 && *field < kLeast) return bad("must be at least 64K, or 0 for no limit");
  return {};
}

}  // namespace lazyvol::model
