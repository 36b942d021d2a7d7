#include "git/lfs_pointer.h"

#include <algorithm>
#include <charconv>

namespace lazyvol::git {
namespace {

/// Takes "KEY VALUE\n" off the front of `text`.
std::optional<std::string_view> take_line(std::string_view& text, std::string_view key) {
  const auto end = text.find('\n');
  if (end == std::string_view::npos || !text.starts_with(key)) return std::nullopt;
  const std::string_view value = text.substr(key.size(), end - std::min(end, key.size()));
  text.remove_prefix(end + 1);
  return value;
}

}  // namespace

bool is_lfs_oid(std::string_view text) {
  constexpr std::size_t kDigits = 64;
  return text.size() == kDigits && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

std::optional<std::uint64_t> parse_lfs_size(std::string_view text) {
  std::uint64_t size = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, size);
  const bool odd = text.size() > 1 && text.front() == '0';
  if (error != std::errc() || rest != end || odd || size > kMaxLfsSize) return std::nullopt;
  return size;
}

std::optional<LfsPointer> parse_lfs_pointer(std::string_view blob) {
  if (blob.size() >= kLfsPointerBytes) return std::nullopt;
  const auto version = take_line(blob, "version ");
  if (version != "https://git-lfs.github.com/spec/v1") return std::nullopt;
  const auto oid = take_line(blob, "oid sha256:");
  const auto size = oid ? take_line(blob, "size ") : std::nullopt;
  if (!size || !blob.empty() || !is_lfs_oid(*oid)) return std::nullopt;
  const auto bytes = parse_lfs_size(*size);
  if (!bytes) return std::nullopt;
  return LfsPointer{std::string(*oid), *bytes};
}

}  // namespace lazyvol::git
