#include "cache/index_file_system.h"

#include <cerrno>
#include <string>
#include <utility>

namespace lazyvol::cache {
namespace {

using rocksdb::FileOptions;
using rocksdb::FSRandomAccessFile;
using rocksdb::FSSequentialFile;
using rocksdb::FSWritableFile;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

// What every file needs to know.
class Rules {
 public:
  Rules(IndexReserve& reserve, FileFault fault) : reserve_(reserve), fault_(std::move(fault)) {}

  bool has_faults() const { return fault_ != nullptr; }

  IOStatus fault(FileOperation operation, const std::string& path) const {
    const int failure = fault_ == nullptr ? 0 : fault_(operation, path);
    if (failure == 0) return IOStatus::OK();
    if (failure == ENOSPC) return IOStatus::NoSpace("injected fault", path);
    return IOStatus::IOError("injected fault", path);
  }

  // Runs `body`, again and again while it meets a full disk and the reserve can help.
  template <class Body>
  IOStatus with_space(FileOperation operation, const std::string& path, std::uint64_t bytes,
                      const Body& body) const {
    while (true) {
      IOStatus status = fault(operation, path);
      if (status.ok()) status = body();
      if (!status.IsNoSpace() || !reserve_.release(bytes)) return status;
    }
  }

 private:
  IndexReserve& reserve_;
  const FileFault fault_;
};

class IndexWritableFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  IndexWritableFile(std::unique_ptr<FSWritableFile>&& target, std::string path,
                    std::shared_ptr<const Rules> rules)
      : FSWritableFileOwnerWrapper(std::move(target)),
        path_(std::move(path)),
        rules_(std::move(rules)) {}

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* dbg) override {
    const IOStatus status = rules_->with_space(FileOperation::append, path_, data.size(), [&] {
      return target()->PositionedAppend(data, size_, options, dbg);
    });
    if (status.ok()) size_ += data.size();
    return status;
  }
  IOStatus Append(const Slice& data, const IOOptions& options, const rocksdb::DataVerificationInfo&,
                  IODebugContext* dbg) override {
    return Append(data, options, dbg);
  }
  IOStatus Truncate(std::uint64_t size, const IOOptions& options, IODebugContext* dbg) override {
    IOStatus status = target()->Truncate(size, options, dbg);
    if (status.ok()) size_ = size;
    return status;
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* dbg) override {
    const IOStatus status = rules_->fault(FileOperation::sync, path_);
    return status.ok() ? target()->Sync(options, dbg) : status;
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* dbg) override {
    const IOStatus status = rules_->fault(FileOperation::sync, path_);
    return status.ok() ? target()->Fsync(options, dbg) : status;
  }

 private:
  const std::string path_;
  const std::shared_ptr<const Rules> rules_;
  std::uint64_t size_ = 0;  // RocksDB writes a file from one thread at a time
};

class FaultyRandomFile final : public rocksdb::FSRandomAccessFileOwnerWrapper {
 public:
  FaultyRandomFile(std::unique_ptr<FSRandomAccessFile>&& target, std::string path,
                   std::shared_ptr<const Rules> rules)
      : FSRandomAccessFileOwnerWrapper(std::move(target)),
        path_(std::move(path)),
        rules_(std::move(rules)) {}

  IOStatus Read(std::uint64_t offset, std::size_t n, const IOOptions& options, Slice* result,
                char* scratch, IODebugContext* dbg) const override {
    IOStatus status = rules_->fault(FileOperation::read, path_);
    if (!status.ok()) return status;
    return FSRandomAccessFileOwnerWrapper::Read(offset, n, options, result, scratch, dbg);
  }
  IOStatus MultiRead(rocksdb::FSReadRequest* requests, std::size_t count, const IOOptions& options,
                     IODebugContext* dbg) override {
    IOStatus status = rules_->fault(FileOperation::read, path_);
    if (!status.ok()) return status;
    return FSRandomAccessFileOwnerWrapper::MultiRead(requests, count, options, dbg);
  }

 private:
  const std::string path_;
  const std::shared_ptr<const Rules> rules_;
};

class IndexFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  IndexFileSystem(std::shared_ptr<rocksdb::FileSystem> target, std::shared_ptr<const Rules> rules)
      : FileSystemWrapper(std::move(target)), rules_(std::move(rules)) {}

  const char* Name() const override { return "LazyvolIndexFileSystem"; }

  IOStatus NewWritableFile(const std::string& path, const FileOptions& options,
                           std::unique_ptr<FSWritableFile>* result, IODebugContext* dbg) override {
    const IOStatus status = rules_->with_space(FileOperation::create, path, 0, [&] {
      return target()->NewWritableFile(path, options, result, dbg);
    });
    if (status.ok())
      *result = std::make_unique<IndexWritableFile>(std::move(*result), path, rules_);
    return status;
  }
  // Neither is asked for with our options (no WAL is recycled); refusing keeps every append at a
  // known offset.
  IOStatus ReopenWritableFile(const std::string& path, const FileOptions&,
                              std::unique_ptr<FSWritableFile>*, IODebugContext*) override {
    return IOStatus::NotSupported("reopening", path);
  }
  IOStatus ReuseWritableFile(const std::string& path, const std::string&, const FileOptions&,
                             std::unique_ptr<FSWritableFile>*, IODebugContext*) override {
    return IOStatus::NotSupported("reusing", path);
  }

  IOStatus NewRandomAccessFile(const std::string& path, const FileOptions& options,
                               std::unique_ptr<FSRandomAccessFile>* result,
                               IODebugContext* dbg) override {
    IOStatus status = target()->NewRandomAccessFile(path, options, result, dbg);
    if (status.ok() && rules_->has_faults()) {
      *result = std::make_unique<FaultyRandomFile>(std::move(*result), path, rules_);
    }
    return status;
  }
  IOStatus NewSequentialFile(const std::string& path, const FileOptions& options,
                             std::unique_ptr<FSSequentialFile>* result,
                             IODebugContext* dbg) override {
    IOStatus status = rules_->fault(FileOperation::read, path);
    return status.ok() ? target()->NewSequentialFile(path, options, result, dbg) : status;
  }
  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions& options,
                      IODebugContext* dbg) override {
    return rules_->with_space(FileOperation::rename, to, 0,
                              [&] { return target()->RenameFile(from, to, options, dbg); });
  }

 private:
  const std::shared_ptr<const Rules> rules_;
};

}  // namespace

std::shared_ptr<rocksdb::FileSystem> make_index_file_system(IndexReserve& reserve,
                                                            FileFault fault) {
  return std::make_shared<IndexFileSystem>(
      rocksdb::FileSystem::Default(), std::make_shared<const Rules>(reserve, std::move(fault)));
}

}  // namespace lazyvol::cache
