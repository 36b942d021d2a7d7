#include "source/http_version.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <random>

#include "source/http_date.h"
#include "source/index_page.h"

namespace lazyvol::source {
namespace {

constexpr std::size_t kLongestEtag = 256;
constexpr std::int64_t kSettleSeconds = 61;

template <class T>
std::optional<T> parse_number(std::string_view text, int base = 10) {
  T value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value, base);
  const bool whole = parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
  return whole && !text.empty() && text.front() != '-' ? std::optional<T>(value) : std::nullopt;
}

std::string base36(std::uint64_t value) {
  std::array<char, 16> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value, 36);
  return std::string(digits.data(), end.ptr);
}

// nginx: hex(mtime)-hex(size).
bool is_nginx_etag(std::string_view etag, std::int64_t mtime_s, std::uint64_t size) {
  return etag == fmt::format("{:x}-{:x}", mtime_s, size);
}

// Caddy: base36(mtime) base36(size), the mtime in seconds or (from 2.8 on) in nanoseconds.
bool is_caddy_etag(std::string_view etag, std::int64_t mtime_s, std::uint64_t size) {
  const std::string suffix = base36(size);
  if (mtime_s < 0 || !etag.ends_with(suffix)) return false;
  const auto time = parse_number<std::uint64_t>(etag.substr(0, etag.size() - suffix.size()), 36);
  const auto seconds = static_cast<std::uint64_t>(mtime_s);
  return time && (*time == seconds || *time / 1'000'000'000 == seconds);
}

// Splits [W/]"opaque". Anything else, or an over-long one, counts as no ETag.
bool parse_etag(std::string_view field, std::string& opaque, bool& weak) {
  weak = field.starts_with("W/");
  if (weak) field.remove_prefix(2);
  if (field.size() < 3 || field.front() != '"' || field.back() != '"') return false;
  field = field.substr(1, field.size() - 2);
  const bool clean = std::none_of(field.begin(), field.end(), [](char c) {
    return c == '"' || c == '\x7f' || (c >= 0 && c <= ' ');
  });
  if (!clean || field.size() > kLongestEtag) return false;
  opaque = field;
  return true;
}

std::string random_hex() {
  std::random_device device;
  std::string out;
  for (int i = 0; i < 4; ++i) out += fmt::format("{:08x}", device());
  return out;
}

// What follows "<size>-" of the forms that begin with the size.
std::string_view after_size(std::string_view rest) {
  const std::size_t dash = rest.find('-');
  return dash == std::string_view::npos ? std::string_view() : rest.substr(dash + 1);
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  }
  return out;
}

}  // namespace

HttpVersion::HttpVersion(const net::HeaderFields& fields, std::uint64_t size,
                         std::int64_t local_now_s)
    : size_(size) {
  if (const auto* date = fields.find("last-modified")) mtime_s_ = parse_http_date(*date);
  if (const auto* etag = fields.find("etag"); etag != nullptr && !parse_etag(*etag, etag_, weak_)) {
    etag_.clear();
  }
  const bool adds_nothing = mtime_s_ && (is_nginx_etag(etag_, *mtime_s_, size_) ||
                                         is_caddy_etag(etag_, *mtime_s_, size_));
  has_mtime_form_ = mtime_s_ && (etag_.empty() || weak_ || adds_nothing);
  if (mtime_s_) settled_ = response_date(fields, local_now_s) - *mtime_s_ >= kSettleSeconds;
}

std::string HttpVersion::validator() const {
  if (has_mtime_form_) return mtime_validator(*mtime_s_, size_);
  if (etag_.empty()) return fmt::format("n:{}-{}", size_, random_hex());
  return fmt::format("{}:{}-{}", weak_ ? 'w' : 'e', size_, etag_);
}

bool HttpVersion::is(std::string_view wanted) const {
  if (wanted.empty()) return true;
  if (size_in_validator(wanted) != size_) return false;
  const std::string_view rest = wanted.substr(2);
  switch (wanted.front()) {
    case 'm':
      return mtime_s_ && wanted == mtime_validator(*mtime_s_, size_);
    case 'e':
      return !weak_ && !etag_.empty() && after_size(rest) == etag_;
    case 'w':
      return !etag_.empty() && after_size(rest) == etag_;
    default:
      return etag_.empty() && !mtime_s_;
  }
}

std::optional<std::uint64_t> size_in_validator(std::string_view validator) {
  if (validator.size() < 3 || validator[1] != ':') return std::nullopt;
  const std::string_view rest = validator.substr(2);
  if (validator.front() == 'm') {
    const std::size_t dash = rest.rfind('-');
    if (dash == std::string_view::npos) return std::nullopt;
    return parse_number<std::uint64_t>(rest.substr(dash + 1));
  }
  const bool known =
      validator.front() == 'e' || validator.front() == 'w' || validator.front() == 'n';
  return known ? parse_number<std::uint64_t>(rest.substr(0, rest.find('-'))) : std::nullopt;
}

std::optional<std::pair<std::string, std::string>> condition_for(std::string_view validator) {
  if (!size_in_validator(validator)) return std::nullopt;
  const std::string_view rest = validator.substr(2);
  if (validator.front() == 'e') {
    return std::pair<std::string, std::string>("If-Match", fmt::format("\"{}\"", after_size(rest)));
  }
  if (validator.front() == 'm') {
    const auto mtime_s = parse_number<std::int64_t>(rest.substr(0, rest.rfind('-')));
    if (!mtime_s) return std::nullopt;
    return std::pair<std::string, std::string>("If-Unmodified-Since", format_http_date(*mtime_s));
  }
  return std::nullopt;
}

std::int64_t response_date(const net::HeaderFields& fields, std::int64_t local_now_s) {
  const auto* date = fields.find("date");
  return date == nullptr ? local_now_s : parse_http_date(*date).value_or(local_now_s);
}

std::optional<std::uint64_t> content_length(const net::HeaderFields& fields) {
  const auto* length = fields.find("content-length");
  return length == nullptr ? std::nullopt : parse_number<std::uint64_t>(*length);
}

std::optional<ContentRange> content_range(const net::HeaderFields& fields) {
  const auto* field = fields.find("content-range");
  if (field == nullptr || !lower(field->substr(0, 6)).starts_with("bytes ")) return std::nullopt;
  const std::string_view text = std::string_view(*field).substr(6);
  const std::size_t dash = text.find('-'), slash = text.find('/');
  if (dash == std::string_view::npos || slash == std::string_view::npos || dash > slash) {
    return std::nullopt;
  }
  const auto first = parse_number<std::uint64_t>(text.substr(0, dash));
  const auto last = parse_number<std::uint64_t>(text.substr(dash + 1, slash - dash - 1));
  const auto total = parse_number<std::uint64_t>(text.substr(slash + 1));
  if (!first || !last || !total || *first > *last || *last >= *total) return std::nullopt;
  return ContentRange{*first, *last, *total};
}

bool is_identity(const net::HeaderFields& fields, std::string_view name) {
  const auto* field = fields.find("content-encoding");
  if (field == nullptr) return true;
  const std::string coding = lower(*field);
  if (coding.empty() || coding == "identity") return true;
  using Kind = std::pair<std::string_view, std::string_view>;
  constexpr std::array<Kind, 11> kKinds = {{{"gzip", ".gz"},
                                            {"gzip", ".tgz"},
                                            {"gzip", ".svgz"},
                                            {"x-gzip", ".gz"},
                                            {"x-gzip", ".tgz"},
                                            {"compress", ".Z"},
                                            {"x-compress", ".Z"},
                                            {"x-bzip2", ".bz2"},
                                            {"x-xz", ".xz"},
                                            {"br", ".br"},
                                            {"zstd", ".zst"}}};
  return std::any_of(kKinds.begin(), kKinds.end(), [&](const Kind& kind) {
    return coding == kind.first && name.ends_with(kind.second);
  });
}

}  // namespace lazyvol::source
