#include "cache/index_families.h"

#include <rocksdb/cache.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/write_buffer_manager.h>

namespace lazyvol::cache {
namespace {

rocksdb::ColumnFamilyOptions family_options(const std::shared_ptr<rocksdb::Cache>& cache,
                                            bool often_absent) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.block_size = 4096;
  table.checksum = rocksdb::kXXH3;              // Debian's build has no hardware CRC32C
  table.cache_index_and_filter_blocks = false;  // inside a cache this small a Get costs 77 us
  table.format_version = 5;
  if (often_absent) table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));

  rocksdb::ColumnFamilyOptions options;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.write_buffer_size = kWriteBufferBytes;
  options.max_write_buffer_number = 2;
  options.arena_block_size = 256U << 10;
  options.max_bytes_for_level_base = 32U << 20;
  options.target_file_size_base = 8U << 20;
  options.max_compaction_bytes = 40U << 20;  // bounds the disk space that one compaction borrows
  options.compression = rocksdb::kNoCompression;
  options.compaction_style = rocksdb::kCompactionStyleLevel;
  return options;
}

}  // namespace

rocksdb::DBOptions database_options(rocksdb::Env* env, std::shared_ptr<rocksdb::Logger> logger) {
  rocksdb::DBOptions options;
  options.env = env;
  options.info_log = std::move(logger);
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.paranoid_checks = true;
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  options.max_total_wal_size = kMaxWalBytes;
  options.write_buffer_manager =
      std::make_shared<rocksdb::WriteBufferManager>(kAllWriteBuffersBytes);
  options.max_background_jobs = 2;
  options.max_open_files = kMaxOpenFiles;
  options.allow_fallocate = false;  // preallocation would take what the reserve is to guard
  options.max_manifest_file_size = 4U << 20;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.avoid_unnecessary_blocking_io = true;  // readers do not delete files
  options.bytes_per_sync = 1U << 20;
  return options;
}

std::vector<rocksdb::ColumnFamilyDescriptor> family_descriptors() {
  const auto cache = rocksdb::NewLRUCache(kBlockCacheBytes, 4);
  std::vector<rocksdb::ColumnFamilyDescriptor> result;
  result.emplace_back(rocksdb::kDefaultColumnFamilyName, family_options(cache, false));
  for (const Family& one : kFamilies) {
    result.emplace_back(one.name, family_options(cache, one.often_absent));
  }
  return result;
}

}  // namespace lazyvol::cache
