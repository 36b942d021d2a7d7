// Where a published volume lies, for its publisher: a place of whole objects that are written once,
// and of a few small documents that are replaced (heads).
//
// One suite (tests/publish/store_conformance.h) holds every implementation. Thread rule:
// thread-safe; calls block.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lazyvol/error.h"

namespace lazyvol::publish {

/// An object that is being written. Dropped without commit(): nothing of it stays.
class ObjectWriter {
 public:
  virtual ~ObjectWriter() = default;
  /// Appends. Errors: no_space, io_error, …; the writer is of no use afterwards.
  virtual Status write(std::string_view bytes) = 0;
  /// Makes what was written durable and visible, whole, under `path`. An object that is there
  /// already stays as it is (its name says its bytes), but counts as written now.
  virtual Status commit(const std::string& path) = 0;
};

struct StoredObject {
  std::string path;
  std::uint64_t size = 0;
  std::int64_t mtime_ns = 0;  ///< when it was written, as the store tells
};

/// Keeps others from replacing documents for as long as it lives.
class StoreLock {
 public:
  virtual ~StoreLock() = default;
};

class Store {
 public:
  virtual ~Store() = default;
  /// The store without any credential, for messages.
  virtual std::string display() const = 0;

  /// Bytes `offset` … of an object, at most `limit`. Errors: not_found, io_error, ….
  virtual Result<std::string> read(const std::string& path, std::uint64_t offset,
                                   std::uint64_t limit) = 0;
  /// nullopt: proved not to be there.
  virtual Result<std::optional<StoredObject>> stat(const std::string& path) = 0;
  /// All objects below `prefix` ("packs/"), in byte order of paths.
  virtual Result<std::vector<StoredObject>> list(const std::string& prefix) = 0;

  virtual Result<std::unique_ptr<ObjectWriter>> create() = 0;
  /// Replaces a small document atomically and durably, if it is as the caller knows it: `expected`
  /// is its present text, nullopt that there is none. Errors: busy (somebody else has replaced it
  /// meanwhile: nothing was written).
  virtual Status replace(const std::string& path, const std::optional<std::string>& expected,
                         std::string_view document) = 0;
  /// Not being there is success.
  virtual Status remove(const std::string& path) = 0;
  /// The same for an object that was written `before_ns` (as StoredObject::mtime_ns) or earlier,
  /// also when somebody writes it again at this very moment: then it stays. False: it is younger.
  virtual Result<bool> remove_older(const std::string& path, std::int64_t before_ns) = 0;
  /// Nobody, the caller neither, replaces a document until the lock is gone: for removing what no
  /// head refers to, so that none can begin to. To be held for a short time. Errors: busy (somebody
  /// else holds it), unsupported (a store that cannot lock), read_only, ….
  virtual Result<std::unique_ptr<StoreLock>> lock() = 0;
};

}  // namespace lazyvol::publish
