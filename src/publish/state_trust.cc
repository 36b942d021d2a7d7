#include "publish/state_trust.h"

#include <string>
#include <string_view>

#include "publish/volume_reader.h"

namespace lazyvol::publish {
namespace {

// So far back the parents of a head are followed.
constexpr int kMaxAncestors = 200;

Result<bool> descends(Store& store, const catalog::HeadDocument& head, const Synced& from) {
  catalog::Digest digest = head.digest, parent = head.head.parent;
  std::uint64_t sequence = head.head.sequence;
  for (int step = 0; step < kMaxAncestors && sequence > from.sequence; ++step) {
    if (parent == from.head) return true;
    // Numbers may have gaps, so the parent is the nearest one below that is there.
    bool found = false;
    while (!found && sequence-- > from.sequence + 1) {
      const auto below = read_head(store, revision_path(sequence));
      if (!below.ok() && below.error().code != Code::corrupt) return below.error();
      if (!below.ok() || !*below || (*below)->document.digest != parent) continue;
      parent = (*below)->document.head.parent;
      found = true;
    }
    if (!found) return false;
  }
  return digest == from.head;
}

std::optional<catalog::Digest> digest_of(std::string_view hex) {
  catalog::Digest digest;
  if (hex.size() != 2 * digest.bytes.size()) return std::nullopt;
  for (std::size_t i = 0; i < hex.size(); ++i) {
    const char c = hex[i];
    const int value = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (value < 0) return std::nullopt;
    digest.bytes[i / 2] = static_cast<std::uint8_t>((digest.bytes[i / 2] << 4) | value);
  }
  return digest;
}

}  // namespace

Status check_rows(Store& store, State& state, const std::optional<catalog::HeadDocument>& head) {
  const auto synced = state.synced();
  if (synced && head) {
    if (head->digest == synced->head) return {};
    LAZYVOL_TRY_ASSIGN(const bool related, descends(store, *head, *synced));
    if (related) return {};
  }
  return state.clear_rows();
}

Result<PackSizes> list_packs(Store& store) {
  LAZYVOL_TRY_ASSIGN(const auto objects, store.list("packs/"));
  PackSizes result;
  for (const StoredObject& object : objects) {
    const std::string_view path = object.path;
    if (const auto pack = digest_of(path.substr(path.find_last_of('/') + 1))) {
      result.emplace(*pack, object.size);
    }
  }
  return result;
}

}  // namespace lazyvol::publish
