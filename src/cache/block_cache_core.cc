#include "cache/block_cache_core.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/log.h"
#include "base/units.h"
#include "base/workers.h"

namespace lazyvol::cache {

Result<std::shared_ptr<CacheCore>> CacheCore::start(CacheOptions options, CacheDirectory directory,
                                                    std::unique_ptr<Index> index) {
  LAZYVOL_TRY_ASSIGN(const auto value, index->get(Keyspace::objects, kMetaKey));
  const auto known = value ? decode_meta_row(*value) : std::nullopt;
  // A new index (or one that was begun anew) knows nothing of the files that lie here.
  if (!known) LAZYVOL_TRY(set_files_aside(options.dir));
  const MetaRow meta = known.value_or(MetaRow{});
  auto core =
      std::make_shared<CacheCore>(std::move(options), std::move(directory), std::move(index), meta);
  core->shared.owner = core;
  LAZYVOL_TRY(core->slabs.load());
  // A disk that takes no writes now may take them later; until a probe could note that this life
  // began, nothing is stored.
  if (Status noted = core->write_meta(false); !noted.ok()) {
    core->shared.health.suspend(noted.error());
  }
  core->committer.start([at = core.get()] { at->evictor.enforce(); },
                        [at = core.get()] { return at->probe(); });
  if (!meta.clean) {
    core->sweeper_ = std::thread([at = core.get(), first = meta.next_object] {
      base::name_this_thread("lv-sweep");
      at->sweep(first);
    });
  }
  return core;
}

CacheCore::CacheCore(CacheOptions options, CacheDirectory directory, std::unique_ptr<Index> index,
                     const MetaRow& meta)
    : directory_(std::move(directory)),
      shared(std::move(options), std::move(index)),
      objects(shared, meta.next_object),
      slabs(shared, meta.next_slab),
      committer(shared, objects, slabs),
      evictor(shared, objects, slabs, [this] { return committer.commit(); }) {
  *shared.meta.lock() = meta;
  shared.space.add_objects(static_cast<std::int64_t>(meta.object_bytes));
  shared.gate = this;
}

CacheCore::~CacheCore() {
  shutdown();
}

Result<Room> CacheCore::admit(std::uint64_t bytes) {
  committer.wait_for_room();
  if (auto why = shared.health.reason()) return *std::move(why);
  return evictor.make_room(bytes);
}

Status CacheCore::write_meta(bool clean) {
  auto meta = shared.meta.lock();
  MetaRow next = *meta;
  next.clean = clean;
  IndexBatch batch;
  batch.put(Keyspace::objects, kMetaKey, encode_meta_row(next));
  LAZYVOL_TRY(shared.index->write(std::move(batch), true));
  *meta = next;
  return {};
}

void CacheCore::shutdown() {
  if (stopping_.exchange(true)) return;
  shared.health.close();
  objects.stop_proving();
  committer.stop();
  if (sweeper_.joinable()) sweeper_.join();
  slabs.seal_current();
  // Twice: appends that were under way at the first let their slab be sealed at the second.
  Status committed = committer.commit();
  if (committed.ok()) committed = committer.commit();
  if (committed.ok()) committed = write_meta(true);
  if (!committed.ok()) {
    base::log_warn("cache: closed without a last commit: {}", committed.error().message);
  }
  objects.close();
}

// Writes and syncs a file as large as a commit's worth of small things.
bool CacheCore::probe() {
  if (const auto why = shared.health.reason(); why && why->code == Code::no_space) {
    const std::uint64_t now = shared.space.content_bytes();
    evictor.shrink_to(now - std::min(now, std::max(now / 16, 4 * base::kMiB)));
  }
  const auto path = shared.options.dir / "probe";
  if (shared.options.fault && shared.options.fault("write probe") > 0) return false;
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return false;
  const std::array<char, 64 * 1024> bytes{};
  bool ok = true;
  for (int i = 0; i < 16 && ok; ++i) {
    ok = ::write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size());
  }
  ok = ok && ::fdatasync(fd) == 0;
  ::close(fd);
  ::unlink(path.c_str());
  return ok && write_meta(false).ok();
}

}  // namespace lazyvol::cache
