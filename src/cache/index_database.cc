#include "cache/index_database.h"

#include "cache/index_batch.h"
#include "cache/index_families.h"

namespace lazyvol::cache {

rocksdb::Status IndexDatabase::open(const std::filesystem::path& path, rocksdb::Env* env,
                                    std::shared_ptr<rocksdb::Logger> logger,
                                    std::unique_ptr<IndexDatabase>* result) {
  const auto options = database_options(env, std::move(logger));
  std::unique_ptr<IndexDatabase> opened(new IndexDatabase);
  rocksdb::DB* db = nullptr;
  auto status =
      rocksdb::DB::Open(options, path.string(), family_descriptors(), &opened->handles_, &db);
  if (!status.ok()) return status;
  opened->db_.reset(db);
  if (!opened->numbered_as_expected()) {
    return rocksdb::Status::Corruption("column families of another layout");
  }
  *result = std::move(opened);
  return status;
}

IndexDatabase::~IndexDatabase() {
  if (db_ == nullptr) return;
  for (auto* handle : handles_) db_->DestroyColumnFamilyHandle(handle).PermitUncheckedError();
  db_->Close().PermitUncheckedError();
}

rocksdb::ColumnFamilyHandle* IndexDatabase::handle(Keyspace space) const {
  return handles_[family_number(space)];
}

bool IndexDatabase::numbered_as_expected() const {
  for (const Family& family : kFamilies) {
    if (handle(family.space)->GetID() != family_number(family.space)) return false;
  }
  return true;
}

Error translate(const rocksdb::Status& status) {
  const std::string message = "cache index: " + status.ToString();
  if (status.IsNoSpace()) return {Code::no_space, message};
  if (status.IsCorruption()) return {Code::corrupt, message};
  return {Code::io_error, message};
}

bool means_damage(const rocksdb::Status& status) {
  if (status.IsCorruption()) {
    // A table that cannot be read while opening is reported as Corruption, whatever the reason:
    // only its absence speaks of damage.
    const std::string text = status.ToString();
    return text.find("IO error") == std::string::npos ||
           text.find("No such file") != std::string::npos;
  }
  return status.IsInvalidArgument() || status.IsNotSupported() || status.IsNotFound() ||
         status.IsPathNotFound();
}

}  // namespace lazyvol::cache
