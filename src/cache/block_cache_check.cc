// Verification of everything that is stored, beside readers.
#include <algorithm>
#include <utility>
#include <vector>

#include "cache/block_cache_core.h"
#include "cache/slab_content.h"

namespace lazyvol::cache {
namespace {

using Row = std::pair<std::string, std::string>;

// The rows whose key begins with one byte: a 256th of a keyspace, so that neither much memory nor a
// snapshot of the index is held for long.
Result<std::vector<Row>> rows_from(const Index& index, Keyspace space, unsigned first) {
  std::vector<Row> rows;
  const std::string prefix(1, static_cast<char>(first));
  LAZYVOL_TRY(index.scan(space, prefix, [&](std::string_view key, std::string_view value) {
    rows.emplace_back(key, value);
    return true;
  }));
  return rows;
}

// Calls back now and then, and adds up.
class Progress {
 public:
  explicit Progress(const std::function<bool(const CheckReport&)>& callback)
      : callback_(callback) {}
  /// False when the check is to end.
  bool note(std::uint64_t bytes, bool damaged) {
    report_.blocks_checked++;
    report_.bytes_checked += bytes;
    if (damaged) report_.corrupt_blocks++;
    if (callback_ && report_.blocks_checked % 64 == 0) go_on_ = callback_(report_);
    return go_on_;
  }
  bool go_on() const { return go_on_; }
  const CheckReport& report() const { return report_; }

 private:
  const std::function<bool(const CheckReport&)>& callback_;
  CheckReport report_;
  bool go_on_ = true;
};

void check_object(ObjectContent& content, Progress& progress) {
  for (const auto& part : content.all_parts()) {
    for (std::uint64_t bit = 0; bit < kGroupBlocks && progress.go_on(); ++bit) {
      if ((part.mask & 1ULL << bit) == 0) continue;
      const std::uint64_t block = std::uint64_t{part.group} * kGroupBlocks + bit;
      const Status checked = content.check(block);
      if (checked.ok() || Status(checked).error().code == Code::corrupt) {
        progress.note(content.layout().length_of(block), !checked.ok());
      }
    }
  }
}

}  // namespace

Result<CheckReport> CacheCore::check(const std::function<bool(const CheckReport&)>& callback) {
  LAZYVOL_TRY(committer.commit());  // so that the index names everything
  Progress progress(callback);
  for (unsigned first = 0; first < 256 && progress.go_on(); ++first) {
    LAZYVOL_TRY_ASSIGN(const auto objects_rows, rows_from(*shared.index, Keyspace::objects, first));
    for (const auto& [key, value] : objects_rows) {
      model::ContentKey content;
      if (key.size() != content.bytes.size() || !progress.go_on()) continue;
      std::memcpy(content.bytes.data(), key.data(), key.size());
      if (const auto object = objects.stored(content)) check_object(*object, progress);
    }
    LAZYVOL_TRY_ASSIGN(const auto slab_rows, rows_from(*shared.index, Keyspace::slabs, first));
    for (const auto& [key, value] : slab_rows) {
      SlabKey block;
      const auto at = decode_slab_location(value);
      if (key.size() != block.bytes.size() || !at || !progress.go_on()) continue;
      std::memcpy(block.bytes.data(), key.data(), key.size());
      const Status checked = slabs.check(block, *at);
      if (!checked.ok() && Status(checked).error().code != Code::corrupt) continue;
      progress.note(at->length, !checked.ok());
    }
  }
  if (callback) static_cast<void>(callback(progress.report()));
  return progress.report();
}

}  // namespace lazyvol::cache
