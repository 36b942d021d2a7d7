#include "publish/kept_heads.h"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

namespace lazyvol::publish {
namespace {

constexpr std::string_view kRevisions = "revisions/", kTags = "tags/";
constexpr std::size_t kMaxSought = 1000;

std::optional<std::uint64_t> number_of(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (number == 0 || std::to_string(number) != text) return std::nullopt;
  return number;
}

Result<KeptHeads> seek_heads(Store& store, std::uint64_t newest) {
  KeptHeads result;
  for (std::uint64_t n = newest; n > 0 && result.revisions.size() < kMaxSought; --n) {
    LAZYVOL_TRY_ASSIGN(const auto found, store.stat(revision_path(n)));
    if (!found) break;
    result.revisions.push_back({revision_path(n), n, {}, found->mtime_ns});
  }
  std::reverse(result.revisions.begin(), result.revisions.end());
  return result;
}

}  // namespace

Result<KeptHeads> list_kept_heads(Store& store, std::uint64_t newest) {
  auto revisions = store.list(std::string(kRevisions));
  if (!revisions.ok()) {
    if (revisions.error().code == Code::unsupported) return seek_heads(store, newest);
    return std::move(revisions).error();
  }
  KeptHeads result;
  for (const StoredObject& object : *revisions) {
    const auto number = number_of(std::string_view(object.path).substr(kRevisions.size()));
    if (number) result.revisions.push_back({object.path, *number, {}, object.mtime_ns});
  }
  std::sort(result.revisions.begin(), result.revisions.end(),
            [](const HeadFile& a, const HeadFile& b) { return a.sequence < b.sequence; });
  LAZYVOL_TRY_ASSIGN(const auto tags, store.list(std::string(kTags)));
  for (const StoredObject& object : tags) {
    std::string name = object.path.substr(kTags.size());
    if (!tag_path(name).ok()) continue;
    result.tags.push_back({object.path, 0, std::move(name), object.mtime_ns});
  }
  return result;
}

Result<StoredHead> need_head(Store& store, const std::string& path) {
  auto head = read_head(store, path);
  if (!head.ok()) return std::move(head).error();
  if (!*head) {
    return Error{Code::not_found, path == kHeadPath ? store.display() + " holds no published volume"
                                                    : store.display() + " has no " + path};
  }
  return **std::move(head);
}

}  // namespace lazyvol::publish
