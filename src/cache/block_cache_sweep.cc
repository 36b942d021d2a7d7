// What a crash left behind: files that no row names, and parts of files.
#include <sys/stat.h>

#include <charconv>

#include "base/log.h"
#include "cache/block_cache_core.h"

namespace lazyvol::cache {
namespace {

namespace fs = std::filesystem;

template <class Visit>
void for_each_file(const fs::path& dir, const std::atomic<bool>& stopping, Visit visit) {
  std::error_code failure;
  for (fs::directory_iterator at(dir, failure);
       !failure && at != fs::directory_iterator() && !stopping; at.increment(failure)) {
    visit(at->path());
  }
}

std::optional<std::uint64_t> number_of(const fs::path& path, int base) {
  const std::string name = path.filename().string();
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number, base);
  if (error != std::errc() || end != name.data() + name.size()) return std::nullopt;
  return number;
}

}  // namespace

void CacheCore::sweep(std::uint64_t first_new_object) {
  std::error_code failure;
  fs::remove_all(shared.options.dir / "trash", failure);
  sweep_slabs();
  sweep_objects(first_new_object);
  base::log_debug("cache: swept {}", shared.options.dir.string());
}

void CacheCore::sweep_objects(std::uint64_t first_new_object) {
  for_each_file(shared.options.dir / "objects", stopping_, [&](const fs::path& folder) {
    for_each_file(folder, stopping_,
                  [&](const fs::path& path) { sweep_object(path, first_new_object); });
  });
}

void CacheCore::sweep_object(const fs::path& path, std::uint64_t first_new_object) {
  const auto id = number_of(path, 16);
  if (!id || *id >= first_new_object) return;  // made in this life
  std::optional<model::ContentKey> key;
  std::uint64_t named_blocks = 0;
  const Status scanned = shared.index->scan(
      Keyspace::blocks, group_prefix(*id), [&](std::string_view, std::string_view value) {
        const auto row = decode_group_row(value);
        if (!row) return true;
        key = row->content;
        named_blocks += static_cast<std::uint64_t>(std::popcount(row->present));
        return true;
      });
  if (!scanned.ok()) return;
  if (!key) {
    static_cast<void>(shared.files.remove({FileId::Kind::object, *id}));
    return;
  }
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return;
  const auto taken = static_cast<std::uint64_t>(status.st_blocks) * 512;
  // Less than a block too much is the file system's own bookkeeping.
  if (taken < (named_blocks + 1) * model::kBlockSize) return;
  const auto content = objects.stored(*key);
  if (content != nullptr && content->object_id() == *id) content->reclaim_leaks();
}

void CacheCore::sweep_slabs() {
  for_each_file(shared.options.dir / "slabs", stopping_, [&](const fs::path& path) {
    const auto number = number_of(path, 10);
    if (!number || slabs.exists(*number)) return;
    static_cast<void>(shared.files.remove({FileId::Kind::slab, *number}));
  });
}

}  // namespace lazyvol::cache
