#include "publish/open_volume.h"

#include <utility>

#include "publish/dir_store.h"
#include "publish/network.h"
#include "publish/s3_store.h"
#include "publish/source_store.h"
#include "source/registry.h"

namespace lazyvol::publish {
namespace {

/// A source store with the network that it needs.
class RemoteStore final : public Store {
 public:
  explicit RemoteStore(std::uint32_t connections) : network_(connections) {}
  static Result<std::unique_ptr<Store>> open(const model::SourceUrl& url,
                                             const model::MountOptions& options) {
    auto store = std::make_unique<RemoteStore>(options.max_connections);
    LAZYVOL_TRY_ASSIGN(auto source,
                       source::make_source(url, options, store->network_.environment()));
    store->store_ = make_source_store(std::move(source), store->network_.environment().timer,
                                      options.io_timeout);
    return std::unique_ptr<Store>(std::move(store));
  }

  std::string display() const override { return store_->display(); }
  Result<std::string> read(const std::string& path, std::uint64_t offset,
                           std::uint64_t limit) override {
    return store_->read(path, offset, limit);
  }
  Result<std::optional<StoredObject>> stat(const std::string& path) override {
    return store_->stat(path);
  }
  Result<std::vector<StoredObject>> list(const std::string& prefix) override {
    return store_->list(prefix);
  }
  Result<std::unique_ptr<ObjectWriter>> create() override { return store_->create(); }
  Status replace(const std::string& path, const std::optional<std::string>& expected,
                 std::string_view document) override {
    return store_->replace(path, expected, document);
  }
  Status remove(const std::string& path) override { return store_->remove(path); }
  Result<bool> remove_older(const std::string& path, std::int64_t before_ns) override {
    return store_->remove_older(path, before_ns);
  }
  Result<std::unique_ptr<StoreLock>> lock() override { return store_->lock(); }

 private:
  Network network_;  // before the store and its source
  std::unique_ptr<Store> store_;
};

bool is_url(const std::string& text) {
  return text.find("://") != std::string::npos;
}

// "s3:/bucket" is a slip of the hand more often than a directory.
Status check_directory(const std::string& text) {
  const std::size_t colon = text.find(":/");
  if (colon == std::string::npos || text.find('/') < colon) return {};
  return Error{Code::invalid_argument,
               text + ": a URL has two slashes after its colon; for a directory write ./" + text};
}

}  // namespace

Result<std::string> volume_directory(const std::string& text) {
  if (text.empty()) return Error{Code::invalid_argument, "a volume without a name"};
  if (!is_url(text)) {
    LAZYVOL_TRY(check_directory(text));
    return text;
  }
  if (!text.starts_with("file://")) {
    return Error{Code::unsupported,
                 text +
                     ": only directories and s3:// are written to; name the directory that the "
                     "server shows"};
  }
  LAZYVOL_TRY_ASSIGN(const auto url, model::parse_source_url(text));
  return url.path;
}

Result<std::optional<model::SourceUrl>> volume_bucket(const std::string& text) {
  if (!text.starts_with("s3://")) return std::optional<model::SourceUrl>();
  LAZYVOL_TRY_ASSIGN(auto url, model::parse_source_url(text));
  return std::optional(std::move(url));
}

Result<std::unique_ptr<Store>> open_volume(const std::string& text,
                                           const model::MountOptions& options,
                                           std::stop_token stop) {
  LAZYVOL_TRY_ASSIGN(const auto bucket, volume_bucket(text));
  if (bucket) return open_s3_store(*bucket, options, {.stop = std::move(stop)});
  if (is_url(text) && !text.starts_with("file://")) {
    LAZYVOL_TRY_ASSIGN(const auto url, model::parse_source_url(text));
    return RemoteStore::open(url, options);
  }
  LAZYVOL_TRY_ASSIGN(const std::string path, volume_directory(text));
  return open_dir_store(path);
}

}  // namespace lazyvol::publish
