#include "cache/head_store.h"

#include "base/bytes.h"

namespace lazyvol::cache {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kMaxIdentity = 1024;

// Beside the records of TreeStore, whose keys begin with 'n', 'v' and 'c'.
std::string key_of(std::string_view volume) {
  return "h" + std::string(volume);
}

std::string files_key(std::string_view volume) {
  return "f" + std::string(volume);
}

}  // namespace

Result<std::optional<KnownHead>> HeadStore::find(std::string_view volume) const {
  LAZYVOL_TRY_ASSIGN(const auto value, index_.get(Keyspace::volumes, key_of(volume)));
  if (!value) return std::optional<KnownHead>();
  base::ByteReader in(*value);
  if (in.byte() != kVersion) in.fail();
  KnownHead head;
  head.sequence = in.number();
  head.identity = in.text(kMaxIdentity);
  head.document = in.text(kMaxDocument);
  if (in.failed() || !in.at_end()) {
    return Error{Code::corrupt, "cache index: a damaged record of a volume's head"};
  }
  return std::optional(std::move(head));
}

Status HeadStore::remember(std::string_view volume, const KnownHead& head) {
  if (head.identity.size() > kMaxIdentity || head.document.size() > kMaxDocument) {
    return Error{Code::invalid_argument, "a head that is too long to be remembered"};
  }
  const std::lock_guard lock(writing_);
  if (const auto known = find(volume); known.ok() && *known) {
    if ((*known)->sequence > head.sequence || **known == head) return {};
  }
  base::ByteWriter out;
  out.byte(kVersion);
  out.number(head.sequence);
  out.text(head.identity);
  out.text(head.document);
  IndexBatch batch;
  batch.put(Keyspace::volumes, key_of(volume), out.view());
  return index_.write(std::move(batch), true);
}

Result<bool> HeadStore::is_files(std::string_view volume) const {
  LAZYVOL_TRY_ASSIGN(const auto value, index_.get(Keyspace::volumes, files_key(volume)));
  return value.has_value();
}

Status HeadStore::remember_files(std::string_view volume) {
  const std::lock_guard lock(writing_);
  if (const auto known = is_files(volume); known.ok() && *known) return {};
  IndexBatch batch;
  batch.put(Keyspace::volumes, files_key(volume), "");
  return index_.write(std::move(batch), true);
}

}  // namespace lazyvol::cache
