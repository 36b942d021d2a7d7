#include "cache/index_batch.h"

#include <rocksdb/comparator.h>

#include <array>

#include "cache/index_families.h"

namespace lazyvol::cache {
namespace {

// What WriteBatch wants to know of a family is its number and its comparator, so a batch can be
// filled by a caller that holds no database.
class FamilyNumber final : public rocksdb::ColumnFamilyHandle {
 public:
  explicit FamilyNumber(Keyspace space) : name_(family(space).name), id_(family_number(space)) {}
  const std::string& GetName() const override { return name_; }
  std::uint32_t GetID() const override { return id_; }
  rocksdb::Status GetDescriptor(rocksdb::ColumnFamilyDescriptor*) override {
    return rocksdb::Status::NotSupported();
  }
  const rocksdb::Comparator* GetComparator() const override {
    return rocksdb::BytewiseComparator();
  }

 private:
  std::string name_;
  std::uint32_t id_;
};

rocksdb::ColumnFamilyHandle* handle(Keyspace space) {
  static std::array<FamilyNumber, kKeyspaces> handles{
      FamilyNumber(Keyspace::objects), FamilyNumber(Keyspace::blocks),
      FamilyNumber(Keyspace::slabs),   FamilyNumber(Keyspace::directories),
      FamilyNumber(Keyspace::nodes),   FamilyNumber(Keyspace::volumes),
  };
  return &handles[static_cast<std::size_t>(space)];
}

// Filling an in-memory batch without a size limit cannot fail.
void must(const rocksdb::Status& status) {
  status.PermitUncheckedError();
}

}  // namespace

IndexBatch::IndexBatch() : impl_(std::make_unique<Impl>()) {}
IndexBatch::~IndexBatch() = default;
IndexBatch::IndexBatch(IndexBatch&&) noexcept = default;
IndexBatch& IndexBatch::operator=(IndexBatch&&) noexcept = default;

void IndexBatch::put(Keyspace space, std::string_view key, std::string_view value) {
  must(impl_->batch.Put(handle(space), rocksdb::Slice(key.data(), key.size()),
                        rocksdb::Slice(value.data(), value.size())));
}

void IndexBatch::erase(Keyspace space, std::string_view key) {
  must(impl_->batch.Delete(handle(space), rocksdb::Slice(key.data(), key.size())));
}

void IndexBatch::erase_range(Keyspace space, std::string_view first, std::string_view last) {
  if (first >= last) return;
  must(impl_->batch.DeleteRange(handle(space), rocksdb::Slice(first.data(), first.size()),
                                rocksdb::Slice(last.data(), last.size())));
}

bool IndexBatch::empty() const {
  return impl_->batch.Count() == 0;
}

}  // namespace lazyvol::cache
