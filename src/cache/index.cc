#include "cache/index.h"

#include <rocksdb/env.h>

#include <atomic>
#include <mutex>
#include <shared_mutex>

#include "base/locked.h"
#include "base/log.h"
#include "cache/index_batch.h"
#include "cache/index_database.h"
#include "cache/index_file_system.h"
#include "cache/index_folder.h"
#include "cache/index_log.h"
#include "cache/index_reserve.h"
#include "cache/index_settings.h"

namespace lazyvol::cache {
namespace {

rocksdb::Slice slice(std::string_view text) {
  return {text.data(), text.size()};
}
std::string_view view(const rocksdb::Slice& text) {
  return {text.data(), text.size()};
}

// The smallest key after all keys that start with `prefix`; empty when there is none.
std::string after_prefix(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && static_cast<unsigned char>(end.back()) == 0xff) end.pop_back();
  if (!end.empty()) end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  return end;
}

// Three states. Working: reads and writes. Failed (RocksDB refused a write): reads go on, writes
// are refused, and from time to time one of them opens the database anew. Closed (that did not
// succeed): everything is refused until it does.
class RocksIndex final : public Index {
 public:
  RocksIndex(IndexSettings settings, std::unique_ptr<IndexFolder> folder)
      : settings_(std::move(settings)),
        folder_(std::move(folder)),
        reserve_(folder_->reserve_file(), settings_.reserve_bytes),
        file_system_(make_index_file_system(reserve_, settings_.fault)),
        env_(rocksdb::NewCompositeEnv(file_system_)) {}

  Status start();

  Result<std::optional<std::string>> get(Keyspace space, std::string_view key) const override;
  Result<std::optional<std::pair<std::string, std::string>>> get_at_or_before(
      Keyspace space, std::string_view key, std::string_view prefix) const override;
  Status scan(Keyspace space, std::string_view prefix,
              const std::function<bool(std::string_view, std::string_view)>& visit) const override;
  Status write(IndexBatch batch, bool durable) override;
  std::uint64_t disk_bytes() const override;

 private:
  struct Failure {
    std::string reason;
    base::Monotonic retry_at;
  };

  rocksdb::Status open_database();
  Status recover();
  rocksdb::Status probe() const;
  void fail(const rocksdb::Status& status);
  Error read_error(const rocksdb::Status& status) const;
  static Error closed() { return {Code::io_error, "cache index: closed after a failure"}; }

  // Constant after construction; the order is that of dependence.
  const IndexSettings settings_;
  const std::unique_ptr<IndexFolder> folder_;
  const std::shared_ptr<rocksdb::Logger> logger_ = make_index_logger();

  // Self-synchronised.
  mutable IndexReserve reserve_;
  const std::shared_ptr<rocksdb::FileSystem> file_system_;
  const std::unique_ptr<rocksdb::Env> env_;
  std::atomic<bool> failed_{false};
  mutable std::atomic<bool> marked_{false};
  base::Locked<Failure> failure_;

  // Guarded by mutex_: shared to use the database, exclusive to open or close it.
  mutable std::shared_mutex mutex_;
  std::unique_ptr<IndexDatabase> database_;
};

Status RocksIndex::start() {
  // The reserve of an earlier life may be what lets a full disk open; a new one must not be in the
  // way of the opening itself.
  if (folder_->is_marked_damaged()) LAZYVOL_TRY(folder_->set_aside("found while it was in use"));
  auto status = open_database();
  if (!status.ok() && means_damage(status)) {
    LAZYVOL_TRY(folder_->set_aside(status.ToString()));
    status = open_database();
  }
  if (!status.ok()) return translate(status).in(folder_->path().string());
  reserve_.admit(0);
  return {};
}

rocksdb::Status RocksIndex::open_database() {
  return IndexDatabase::open(folder_->path(), env_.get(), logger_, &database_);
}

Error RocksIndex::read_error(const rocksdb::Status& status) const {
  if (status.IsCorruption() && !marked_.exchange(true)) {
    base::log_error("cache index: damaged ({}); it is begun anew at the next start",
                    status.ToString());
    folder_->mark_damaged();
  }
  return translate(status);
}

Result<std::optional<std::string>> RocksIndex::get(Keyspace space, std::string_view key) const {
  const std::shared_lock lock(mutex_);
  if (database_ == nullptr) return closed();
  rocksdb::PinnableSlice value;
  const auto status = database_->db().Get({}, database_->handle(space), slice(key), &value);
  if (status.IsNotFound()) return std::optional<std::string>();
  if (!status.ok()) return read_error(status);
  return std::optional<std::string>(std::string(value.data(), value.size()));
}

Result<std::optional<std::pair<std::string, std::string>>> RocksIndex::get_at_or_before(
    Keyspace space, std::string_view key, std::string_view prefix) const {
  using Found = std::optional<std::pair<std::string, std::string>>;
  const std::shared_lock lock(mutex_);
  if (database_ == nullptr) return closed();
  rocksdb::ReadOptions options;
  const rocksdb::Slice lower = slice(prefix);
  options.iterate_lower_bound = &lower;
  const std::unique_ptr<rocksdb::Iterator> at(
      database_->db().NewIterator(options, database_->handle(space)));
  at->SeekForPrev(slice(key));
  if (!at->status().ok()) return read_error(at->status());
  if (!at->Valid() || !view(at->key()).starts_with(prefix)) return Found();
  return Found(std::pair(at->key().ToString(), at->value().ToString()));
}

Status RocksIndex::scan(
    Keyspace space, std::string_view prefix,
    const std::function<bool(std::string_view, std::string_view)>& visit) const {
  const std::shared_lock lock(mutex_);
  if (database_ == nullptr) return closed();
  const std::string end = after_prefix(prefix);
  const rocksdb::Slice upper = slice(end);
  rocksdb::ReadOptions options;
  if (!end.empty()) options.iterate_upper_bound = &upper;
  const std::unique_ptr<rocksdb::Iterator> at(
      database_->db().NewIterator(options, database_->handle(space)));
  for (at->Seek(slice(prefix)); at->Valid(); at->Next()) {
    if (!visit(view(at->key()), view(at->value()))) return {};
  }
  if (!at->status().ok()) return read_error(at->status());
  return {};
}

Status RocksIndex::write(IndexBatch batch, bool durable) {
  if (batch.empty()) return {};
  auto& inside = IndexBatch::inside(batch).batch;
  if (!reserve_.admit(inside.GetDataSize())) {
    return Error{Code::no_space,
                 "cache index: the disk of " + folder_->path().string() + " is too full to write"};
  }
  if (failed_) LAZYVOL_TRY(recover());
  rocksdb::WriteOptions options;
  options.sync = durable;
  const std::shared_lock lock(mutex_);
  if (database_ == nullptr) return closed();
  const auto status = database_->db().Write(options, &inside);
  if (status.ok()) return {};
  fail(status);
  return read_error(status);
}

void RocksIndex::fail(const rocksdb::Status& status) {
  const auto failure = failure_.lock();
  failure->retry_at = settings_.clock->now() + settings_.reopen_after;
  if (failed_.exchange(true)) return;
  failure->reason = status.ToString();
  base::log_error("cache index: not written until it recovers: {}", failure->reason);
}

// Whether the disk takes writes: a database once closed might not open again, and reads end with
// it.
rocksdb::Status RocksIndex::probe() const {
  const std::string file = (folder_->path() / "PROBE").string();
  const auto written = rocksdb::WriteStringToFile(env_.get(), "probe", file, true);
  env_->DeleteFile(file).PermitUncheckedError();
  return written;
}

// Opens the database anew when it is time. RocksDB cannot be trusted to go on after a failed write:
// what its files hold is known again only after a recovery from its log.
Status RocksIndex::recover() {
  const std::unique_lock lock(mutex_);
  if (!failed_) return {};
  const auto failure = failure_.lock();
  const Error refused{Code::io_error, "cache index: not written since " + failure->reason};
  if (settings_.clock->now() < failure->retry_at || marked_) return refused;
  failure->retry_at = settings_.clock->now() + settings_.reopen_after;
  if (!probe().ok()) return refused;
  database_.reset();
  const auto status = open_database();
  if (!status.ok()) {
    base::log_debug("cache index: still failing: {}", status.ToString());
    if (means_damage(status)) {
      folder_->mark_damaged();
      marked_ = true;
    }
    return refused;
  }
  failed_ = false;
  base::log_info("cache index: works again");
  return {};
}

std::uint64_t RocksIndex::disk_bytes() const {
  std::uint64_t total = reserve_.held();
  std::error_code failure;
  for (std::filesystem::directory_iterator at(folder_->path(), failure), end; !failure && at != end;
       at.increment(failure)) {
    std::error_code gone;
    const auto size = at->file_size(gone);
    if (!gone) total += size;
  }
  return total;
}

}  // namespace

Result<std::unique_ptr<Index>> open_index(IndexSettings settings) {
  LAZYVOL_TRY_ASSIGN(auto folder, IndexFolder::open(settings.dir));
  auto index = std::make_unique<RocksIndex>(std::move(settings), std::move(folder));
  LAZYVOL_TRY(index->start());
  return std::unique_ptr<Index>(std::move(index));
}

Result<std::unique_ptr<Index>> Index::open(const std::filesystem::path& dir) {
  IndexSettings settings;
  settings.dir = dir;
  return open_index(std::move(settings));
}

}  // namespace lazyvol::cache
