// An open RocksDB with its column families: opened whole or not at all.
#pragma once

#include <rocksdb/db.h>

#include <filesystem>
#include <memory>
#include <vector>

#include "cache/index.h"
#include "lazyvol/error.h"

namespace lazyvol::cache {

/// Thread-safe once open.
class IndexDatabase {
 public:
  /// `env` must outlive the result.
  static rocksdb::Status open(const std::filesystem::path& path, rocksdb::Env* env,
                              std::shared_ptr<rocksdb::Logger> logger,
                              std::unique_ptr<IndexDatabase>* result);
  /// Leaves what is not flushed to the WAL, for the next open().
  ~IndexDatabase();
  IndexDatabase(const IndexDatabase&) = delete;
  IndexDatabase& operator=(const IndexDatabase&) = delete;

  rocksdb::DB& db() const { return *db_; }
  rocksdb::ColumnFamilyHandle* handle(Keyspace space) const;

 private:
  IndexDatabase() = default;
  bool numbered_as_expected() const;

  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;  // "default", then ours
};

/// RocksDB's failure as ours.
Error translate(const rocksdb::Status& status);

/// True when `status` of an open() says that the files are not a usable index, rather than that the
/// disk would not serve them: to begin anew helps.
bool means_damage(const rocksdb::Status& status);

}  // namespace lazyvol::cache
