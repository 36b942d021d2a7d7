#include "base/units.h"

#include <fmt/core.h>

#include <array>
#include <charconv>
#include <cmath>

namespace lazyvol::base {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

/// Splits "1.5g" into 1.5 and "g". False when it does not start with a plain non-negative number.
bool split_number(std::string_view text, double& number, std::string_view& suffix) {
  if (text.empty() || text.front() < '0' || text.front() > '9') return false;
  const char* end = text.data() + text.size();
  auto [rest, error] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
  if (error != std::errc()) return false;
  suffix = std::string_view(rest, static_cast<std::size_t>(end - rest));
  return true;
}

Error bad(std::string_view text, std::string_view expected) {
  return Error{Code::invalid_argument, fmt::format("'{}' is not {}", text, expected)};
}

}  // namespace

Result<std::uint64_t> parse_size(std::string_view text) {
  constexpr std::string_view expected = "a size (for example 4096, 64K, 1.5GiB)";
  constexpr std::uint64_t limit = 1ULL << 63;
  const std::string low = lower(text);
  double number = 0;
  std::string_view suffix;
  if (!split_number(low, number, suffix)) return bad(text, expected);
  std::uint64_t unit = 1;
  if (!suffix.empty() && suffix != "b") {
    const auto power = std::string_view("kmgtp").find(suffix.front());
    if (power == std::string_view::npos) return bad(text, expected);
    const auto tail = suffix.substr(1);
    if (tail != "" && tail != "ib" && tail != "b") return bad(text, expected);
    for (std::size_t i = 0; i <= power; ++i) unit *= tail == "b" ? 1000 : 1024;
  }
  // Whole numbers are kept exact; a double would round them from 2^53 on.
  std::uint64_t whole = 0;
  const char* number_end = suffix.empty() ? low.data() + low.size() : suffix.data();
  auto [rest, error] = std::from_chars(low.data(), number_end, whole);
  if (error == std::errc() && rest == number_end) {
    if (whole > limit / unit) return bad(text, expected);
    return whole * unit;
  }
  const double bytes = number * static_cast<double>(unit);
  if (!(bytes < static_cast<double>(limit))) return bad(text, expected);
  return static_cast<std::uint64_t>(std::llround(bytes));
}

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
  const std::string low = lower(text);
  if (low == "indefinite") return std::chrono::milliseconds::max();
  if (low == "minimal") return std::chrono::milliseconds(0);
  constexpr std::string_view expected =
      "a duration (for example 60, 500ms, 5m, 2h, 1d, indefinite)";
  double number = 0;
  std::string_view suffix;
  if (!split_number(low, number, suffix)) return bad(text, expected);
  double unit_ms = 0;
  if (suffix.empty() || suffix == "s")
    unit_ms = 1e3;
  else if (suffix == "ms")
    unit_ms = 1;
  else if (suffix == "m" || suffix == "min")
    unit_ms = 60e3;
  else if (suffix == "h")
    unit_ms = 3600e3;
  else if (suffix == "d")
    unit_ms = 86400e3;
  else
    return bad(text, expected);
  const double ms = number * unit_ms;
  if (!(ms <= 1e15)) return bad(text, expected);
  return std::chrono::milliseconds(std::llround(ms));
}

Result<double> parse_ratio(std::string_view text) {
  double number = 0;
  std::string_view suffix;
  constexpr std::string_view expected = "a ratio (for example 0.1 or 10%)";
  if (!split_number(text, number, suffix)) return bad(text, expected);
  if (suffix == "%")
    number /= 100;
  else if (!suffix.empty())
    return bad(text, expected);
  if (number < 0 || number > 1) return bad(text, expected);
  return number;
}

Result<std::uint32_t> parse_octal_mode(std::string_view text) {
  std::uint32_t mode = 0;
  const char* end = text.data() + text.size();
  auto [rest, error] = std::from_chars(text.data(), end, mode, 8);
  if (text.size() < 3 || text.size() > 4 || error != std::errc() || rest != end) {
    return bad(text, "an octal mode (for example 0644)");
  }
  return mode;
}

std::string format_size(std::uint64_t bytes) {
  constexpr std::array<const char*, 6> units = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  if (bytes < kKiB) return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < units.size()) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.1f} {}", value, units[unit]);
}

}  // namespace lazyvol::base
