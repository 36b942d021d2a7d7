#include "publish/state_families.h"

#include <rocksdb/cache.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>

namespace lazyvol::publish {

rocksdb::DBOptions state_options() {
  rocksdb::DBOptions options;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.paranoid_checks = true;
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  options.max_total_wal_size = kStateMaxWalBytes;
  options.db_write_buffer_size = 3 * kStateWriteBufferBytes;
  options.max_background_jobs = 2;
  options.max_open_files = kStateMaxOpenFiles;
  options.keep_log_file_num = 2;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  return options;
}

std::vector<rocksdb::ColumnFamilyDescriptor> state_descriptors() {
  const auto cache = rocksdb::NewLRUCache(kStateBlockCacheBytes, 4);
  std::vector<rocksdb::ColumnFamilyDescriptor> result;
  for (const StateFamily& family : kStateFamilies) {
    rocksdb::BlockBasedTableOptions table;
    table.block_cache = cache;
    table.checksum = rocksdb::kXXH3;  // Debian's build has no hardware CRC32C
    table.format_version = 5;
    if (family.often_absent) table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
    rocksdb::ColumnFamilyOptions options;
    options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
    options.write_buffer_size = kStateWriteBufferBytes;
    options.compression = rocksdb::kNoCompression;
    result.emplace_back(family.name, options);
  }
  return result;
}

}  // namespace lazyvol::publish
