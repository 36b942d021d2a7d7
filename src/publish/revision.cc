#include "publish/revision.h"

#include <utility>

namespace lazyvol::publish {
namespace {

// So many publishers of one volume at once, or killed ones in a row, are a mistake.
constexpr std::uint64_t kMaxSkipped = 1000;

}  // namespace

Result<StoredHead> publish_head(Store& store, const std::optional<StoredHead>& before,
                                catalog::Head head, const catalog::SecretKey* key) {
  const std::uint64_t last = before ? before->document.head.sequence : 0;
  head.parent = before ? before->document.digest : catalog::Digest();
  for (head.sequence = last + 1;; ++head.sequence) {
    LAZYVOL_TRY_ASSIGN(std::string text, catalog::encode_head(head, key));
    const std::string path = revision_path(head.sequence);
    const Status kept = store.replace(path, std::nullopt, text);
    if (!kept.ok() && kept.error().code == Code::busy && head.sequence - last < kMaxSkipped) {
      continue;
    }
    if (!kept.ok()) return kept.error();
    const Status done = store.replace(std::string(kHeadPath),
                                      before ? std::optional(before->text) : std::nullopt, text);
    if (!done.ok()) {
      if (done.error().code == Code::busy) static_cast<void>(store.remove(path));
      return done.error();
    }
    // Their publishers cannot win any more: the head that they know is gone.
    for (std::uint64_t lost = last + 1; lost < head.sequence; ++lost) {
      static_cast<void>(store.remove(revision_path(lost)));
    }
    LAZYVOL_TRY_ASSIGN(catalog::HeadDocument document, catalog::parse_head(text));
    return StoredHead{std::move(text), std::move(document)};
  }
}

Result<std::uint64_t> put_tags(Store& store, const std::vector<std::string>& tags,
                               const std::string& document) {
  std::uint64_t written = 0;
  for (const std::string& tag : tags) {
    LAZYVOL_TRY_ASSIGN(const std::string path, tag_path(tag));
    std::optional<std::string> present;
    auto text = store.read(path, 0, catalog::kMaxHeadBytes + 1);
    if (text.ok()) {
      present = *std::move(text);
    } else if (text.error().code != Code::not_found) {
      return std::move(text).error();
    }
    if (present == document) continue;
    LAZYVOL_TRY(store.replace(path, present, document));
    ++written;
  }
  return written;
}

}  // namespace lazyvol::publish
