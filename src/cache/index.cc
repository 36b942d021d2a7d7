#include "cache/index.h"

#include <rocksdb/db.h>

#include <array>
#include <mutex>
#include <shared_mutex>

#include "base/log.h"
#include "cache/index_batch.h"
#include "cache/index_families.h"
#include "cache/index_log.h"
#include "cache/index_settings.h"

namespace lazyvol::cache {
namespace {

rocksdb::Slice slice(std::string_view text) {
  return {text.data(), text.size()};
}
std::string_view view(const rocksdb::Slice& text) {
  return {text.data(), text.size()};
}

Error translate(const rocksdb::Status& status) {
  const std::string message = "cache index: " + status.ToString();
  if (status.IsNoSpace()) return {Code::no_space, message};
  if (status.IsCorruption()) return {Code::corrupt, message};
  return {Code::io_error, message};
}

// The smallest key after all keys that start with `prefix`; empty when there is none.
std::string after_prefix(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && static_cast<unsigned char>(end.back()) == 0xff) end.pop_back();
  if (!end.empty()) end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  return end;
}

class RocksIndex final : public Index {
 public:
  explicit RocksIndex(IndexSettings settings)
      : settings_(std::move(settings)), path_(settings_.dir / "index") {}
  ~RocksIndex() override { close(); }

  Status start() {
    std::error_code failure;
    std::filesystem::create_directories(path_, failure);
    if (failure) return errno_error(failure.value(), "create " + path_.string());
    const auto status = open_database();
    if (!status.ok()) return translate(status);
    return {};
  }

  Result<std::optional<std::string>> get(Keyspace space, std::string_view key) const override {
    const std::shared_lock lock(mutex_);
    rocksdb::PinnableSlice value;
    const auto status = db_->Get({}, handle(space), slice(key), &value);
    if (status.IsNotFound()) return std::optional<std::string>();
    if (!status.ok()) return translate(status);
    return std::optional<std::string>(std::string(value.data(), value.size()));
  }

  Result<std::optional<std::pair<std::string, std::string>>> get_at_or_before(
      Keyspace space, std::string_view key, std::string_view prefix) const override {
    using Found = std::optional<std::pair<std::string, std::string>>;
    const std::shared_lock lock(mutex_);
    rocksdb::ReadOptions options;
    const rocksdb::Slice lower = slice(prefix);
    options.iterate_lower_bound = &lower;
    const std::unique_ptr<rocksdb::Iterator> at(db_->NewIterator(options, handle(space)));
    at->SeekForPrev(slice(key));
    if (!at->status().ok()) return translate(at->status());
    if (!at->Valid() || !view(at->key()).starts_with(prefix)) return Found();
    return Found(std::pair(at->key().ToString(), at->value().ToString()));
  }

  Status scan(Keyspace space, std::string_view prefix,
              const std::function<bool(std::string_view, std::string_view)>& visit) const override {
    const std::shared_lock lock(mutex_);
    const std::string end = after_prefix(prefix);
    const rocksdb::Slice upper = slice(end);
    rocksdb::ReadOptions options;
    if (!end.empty()) options.iterate_upper_bound = &upper;
    const std::unique_ptr<rocksdb::Iterator> at(db_->NewIterator(options, handle(space)));
    for (at->Seek(slice(prefix)); at->Valid(); at->Next()) {
      if (!visit(view(at->key()), view(at->value()))) return {};
    }
    if (!at->status().ok()) return translate(at->status());
    return {};
  }

  Status write(IndexBatch batch, bool durable) override {
    if (batch.empty()) return {};
    const std::shared_lock lock(mutex_);
    rocksdb::WriteOptions options;
    options.sync = durable;
    const auto status = db_->Write(options, &IndexBatch::inside(batch).batch);
    if (!status.ok()) return translate(status);
    return {};
  }

  std::uint64_t disk_bytes() const override {
    std::uint64_t total = 0;
    std::error_code failure;
    for (std::filesystem::directory_iterator at(path_, failure), end; !failure && at != end;
         at.increment(failure)) {
      std::error_code gone;
      const auto size = at->file_size(gone);
      if (!gone) total += size;
    }
    return total;
  }

 private:
  rocksdb::ColumnFamilyHandle* handle(Keyspace space) const {
    return handles_[static_cast<std::size_t>(space) + 1];
  }

  rocksdb::Status open_database() {
    const auto options = database_options(rocksdb::Env::Default(), logger_);
    rocksdb::DB* db = nullptr;
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    const auto status =
        rocksdb::DB::Open(options, path_.string(), family_descriptors(), &handles, &db);
    if (!status.ok()) return status;
    db_.reset(db);
    handles_ = std::move(handles);
    return status;
  }

  void close() {
    const std::unique_lock lock(mutex_);
    if (db_ == nullptr) return;
    for (auto* handle : handles_) db_->DestroyColumnFamilyHandle(handle).PermitUncheckedError();
    handles_.clear();
    db_->Close().PermitUncheckedError();
    db_.reset();
  }

  // Constant after start().
  const IndexSettings settings_;
  const std::filesystem::path path_;
  const std::shared_ptr<rocksdb::Logger> logger_ = make_index_logger();

  // Guarded by mutex_: shared to use the database, exclusive to open or close it.
  mutable std::shared_mutex mutex_;
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;
};

}  // namespace

Result<std::unique_ptr<Index>> open_index(IndexSettings settings) {
  auto index = std::make_unique<RocksIndex>(std::move(settings));
  LAZYVOL_TRY(index->start());
  return std::unique_ptr<Index>(std::move(index));
}

Result<std::unique_ptr<Index>> Index::open(const std::filesystem::path& dir) {
  IndexSettings settings;
  settings.dir = dir;
  return open_index(std::move(settings));
}

}  // namespace lazyvol::cache
