#include "source/http_date.h"

#include <ctime>

#include <array>

namespace lazyvol::source {
namespace {

constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

// Takes fixed pieces off the front of a text; after the first failure everything fails.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  bool ok() const { return ok_; }
  bool at_end() const { return ok_ && rest_.empty(); }
  bool starts_with(char c) const { return ok_ && !rest_.empty() && rest_.front() == c; }

  void literal(std::string_view expected) {
    if (rest_.substr(0, expected.size()) != expected) ok_ = false;
    if (ok_) rest_.remove_prefix(expected.size());
  }

  // Exactly `digits` digits; with `spaced` the first may be a space.
  int number(std::size_t digits, bool spaced = false) {
    if (!ok_ || rest_.size() < digits) return fail();
    int value = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      const char c = rest_[i];
      if (spaced && i == 0 && c == ' ') continue;
      if (c < '0' || c > '9') return fail();
      value = value * 10 + (c - '0');
    }
    rest_.remove_prefix(digits);
    return value;
  }

  int month() {
    for (std::size_t i = 0; ok_ && i < kMonths.size(); ++i) {
      if (rest_.substr(0, 3) != kMonths[i]) continue;
      rest_.remove_prefix(3);
      return static_cast<int>(i);
    }
    return fail();
  }

  void skip_letters() {
    while (!rest_.empty() && ((rest_.front() | 0x20) >= 'a' && (rest_.front() | 0x20) <= 'z')) {
      rest_.remove_prefix(1);
    }
  }

  void skip_fraction() {
    if (!starts_with('.')) return;
    rest_.remove_prefix(1);
    while (!rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9') rest_.remove_prefix(1);
  }

 private:
  int fail() {
    ok_ = false;
    return 0;
  }

  std::string_view rest_;
  bool ok_ = true;
};

std::optional<std::int64_t> to_seconds(const std::tm& time) {
  const bool sane = time.tm_year >= 0 && time.tm_mday >= 1 && time.tm_mday <= 31 &&
                    time.tm_hour <= 23 && time.tm_min <= 59 && time.tm_sec <= 60;
  if (!sane) return std::nullopt;
  std::tm copy = time;
  return static_cast<std::int64_t>(timegm(&copy));
}

void scan_clock(Scanner& scanner, std::tm& time) {
  time.tm_hour = scanner.number(2);
  scanner.literal(":");
  time.tm_min = scanner.number(2);
  scanner.literal(":");
  time.tm_sec = scanner.number(2);
}

std::optional<std::int64_t> parse_imf_fixdate(std::string_view text) {
  Scanner scanner(text);
  std::tm time{};
  scanner.skip_letters();
  scanner.literal(", ");
  time.tm_mday = scanner.number(2);
  scanner.literal(" ");
  time.tm_mon = scanner.month();
  scanner.literal(" ");
  time.tm_year = scanner.number(4) - 1900;
  scanner.literal(" ");
  scan_clock(scanner, time);
  scanner.literal(" GMT");
  return scanner.at_end() ? to_seconds(time) : std::nullopt;
}

std::optional<std::int64_t> parse_rfc850(std::string_view text) {
  Scanner scanner(text);
  std::tm time{};
  scanner.skip_letters();
  scanner.literal(", ");
  time.tm_mday = scanner.number(2);
  scanner.literal("-");
  time.tm_mon = scanner.month();
  scanner.literal("-");
  const int year = scanner.number(2);
  time.tm_year = year < 70 ? year + 100 : year;
  scanner.literal(" ");
  scan_clock(scanner, time);
  scanner.literal(" GMT");
  return scanner.at_end() ? to_seconds(time) : std::nullopt;
}

std::optional<std::int64_t> parse_asctime(std::string_view text) {
  Scanner scanner(text);
  std::tm time{};
  scanner.skip_letters();
  scanner.literal(" ");
  time.tm_mon = scanner.month();
  scanner.literal(" ");
  time.tm_mday = scanner.number(2, true);
  scanner.literal(" ");
  scan_clock(scanner, time);
  scanner.literal(" ");
  time.tm_year = scanner.number(4) - 1900;
  return scanner.at_end() ? to_seconds(time) : std::nullopt;
}

}  // namespace

std::optional<std::int64_t> parse_http_date(std::string_view text) {
  if (auto seconds = parse_imf_fixdate(text)) return seconds;
  if (auto seconds = parse_rfc850(text)) return seconds;
  return parse_asctime(text);
}

std::string format_http_date(std::int64_t unix_seconds) {
  const std::time_t seconds = unix_seconds;
  std::tm time{};
  if (gmtime_r(&seconds, &time) == nullptr) return {};
  // Not strftime's %a and %b: they follow the locale.
  std::array<char, 64> buffer{};
  std::string out(kDays[static_cast<std::size_t>(time.tm_wday)]);
  std::strftime(buffer.data(), buffer.size(), ", %d ", &time);
  out += buffer.data();
  out += kMonths[static_cast<std::size_t>(time.tm_mon)];
  std::strftime(buffer.data(), buffer.size(), " %Y %H:%M:%S GMT", &time);
  out += buffer.data();
  return out;
}

std::optional<std::int64_t> parse_rfc3339(std::string_view text) {
  Scanner scanner(text);
  std::tm time{};
  time.tm_year = scanner.number(4) - 1900;
  scanner.literal("-");
  time.tm_mon = scanner.number(2) - 1;
  scanner.literal("-");
  time.tm_mday = scanner.number(2);
  scanner.literal("T");
  scan_clock(scanner, time);
  scanner.skip_fraction();
  std::int64_t offset = 0;
  if (scanner.starts_with('Z')) {
    scanner.literal("Z");
  } else {
    const bool behind = scanner.starts_with('-');
    scanner.literal(behind ? "-" : "+");
    const int hours = scanner.number(2);
    scanner.literal(":");
    offset = (behind ? -1 : 1) * (hours * 3600 + scanner.number(2) * 60);
  }
  if (!scanner.at_end() || time.tm_mon < 0 || time.tm_mon > 11) return std::nullopt;
  const auto seconds = to_seconds(time);
  if (!seconds) return std::nullopt;
  return *seconds - offset;
}

}  // namespace lazyvol::source
