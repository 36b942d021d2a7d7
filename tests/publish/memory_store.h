// A store in memory, with a clock to turn and a point at which everything begins to fail.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "publish/store.h"

namespace lazyvol::publish {

class MemoryStore final : public Store {
 public:
  struct Object {
    std::string bytes;
    std::int64_t mtime_ns = 0;
  };
  std::map<std::string, Object> objects;  ///< not while another thread uses the store
  std::int64_t now_ns = 1'800'000'000'000'000'000;
  /// Changes that succeed before all later ones fail, as if the process had been killed.
  std::optional<std::size_t> changes_left;
  /// Called when the lock was taken: what happens between marking and removing.
  std::function<void()> on_lock;
  std::size_t reads = 0;
  bool listable = true;

  std::string display() const override { return "memory"; }
  Result<std::string> read(const std::string& path, std::uint64_t offset,
                           std::uint64_t limit) override {
    const std::lock_guard guard(mutex_);
    ++reads;
    const auto found = objects.find(path);
    if (found == objects.end()) return Error{Code::not_found, path + " is not there"};
    const std::string& bytes = found->second.bytes;
    return offset < bytes.size() ? bytes.substr(offset, limit) : std::string();
  }
  Result<std::optional<StoredObject>> stat(const std::string& path) override {
    const std::lock_guard guard(mutex_);
    const auto found = objects.find(path);
    if (found == objects.end()) return std::optional<StoredObject>();
    return std::optional(StoredObject{path, found->second.bytes.size(), found->second.mtime_ns});
  }
  Result<std::vector<StoredObject>> list(const std::string& prefix) override {
    const std::lock_guard guard(mutex_);
    if (!listable) return Error{Code::unsupported, "cannot be listed"};
    std::vector<StoredObject> result;
    for (const auto& [path, object] : objects) {
      if (path.starts_with(prefix)) result.push_back({path, object.bytes.size(), object.mtime_ns});
    }
    return result;
  }
  Result<std::unique_ptr<ObjectWriter>> create() override {
    return std::unique_ptr<ObjectWriter>(std::make_unique<Writer>(*this));
  }
  Status replace(const std::string& path, const std::optional<std::string>& expected,
                 std::string_view document) override {
    const std::lock_guard guard(mutex_);
    const auto found = objects.find(path);
    const bool as_known = expected ? found != objects.end() && found->second.bytes == *expected
                                   : found == objects.end();
    if (!as_known) return Error{Code::busy, path + " was changed"};
    LAZYVOL_TRY(change());
    objects[path] = {std::string(document), now_ns};
    return {};
  }
  Status remove(const std::string& path) override {
    const std::lock_guard guard(mutex_);
    LAZYVOL_TRY(change());
    objects.erase(path);
    return {};
  }
  Result<bool> remove_older(const std::string& path, std::int64_t before_ns) override {
    const std::lock_guard guard(mutex_);
    const auto found = objects.find(path);
    if (found != objects.end() && found->second.mtime_ns > before_ns) return false;
    LAZYVOL_TRY(change());
    objects.erase(path);
    return true;
  }
  Result<std::unique_ptr<StoreLock>> lock() override {
    if (on_lock) on_lock();
    return std::make_unique<StoreLock>();
  }

 private:
  class Writer final : public ObjectWriter {
   public:
    explicit Writer(MemoryStore& store) : store_(store) {}
    Status write(std::string_view bytes) override {
      bytes_ += bytes;
      return {};
    }
    Status commit(const std::string& path) override {
      const std::lock_guard guard(store_.mutex_);
      LAZYVOL_TRY(store_.change());
      auto& object = store_.objects[path];
      if (object.bytes.empty()) object.bytes = bytes_;
      object.mtime_ns = store_.now_ns;
      return {};
    }

   private:
    MemoryStore& store_;
    std::string bytes_;
  };

  Status change() {
    if (!changes_left) return {};
    if (*changes_left == 0) return Error{Code::io_error, "the store is gone"};
    --*changes_left;
    return {};
  }

  std::mutex mutex_;
};

}  // namespace lazyvol::publish
