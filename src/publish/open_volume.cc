#include "publish/open_volume.h"

#include <utility>

#include "base/timer.h"
#include "base/workers.h"
#include "model/source_url.h"
#include "net/http_engine.h"
#include "publish/dir_store.h"
#include "publish/source_store.h"
#include "source/registry.h"

namespace lazyvol::publish {
namespace {

constexpr std::size_t kBlockingThreads = 4;

/// A source store with the network that it needs. Members end in the reverse order: the store and
/// its source before the threads that serve them.
class RemoteStore final : public Store {
 public:
  static Result<std::unique_ptr<Store>> open(const model::SourceUrl& url,
                                             const model::MountOptions& options) {
    auto store = std::make_unique<RemoteStore>();
    LAZYVOL_TRY_ASSIGN(
        auto source,
        source::make_source(url, options, {store->http_, store->timer_, store->blocking_}));
    store->store_ = make_source_store(std::move(source), store->timer_, options.io_timeout);
    return std::unique_ptr<Store>(std::move(store));
  }
  ~RemoteStore() override {
    timer_.stop();  // first: its tasks reach for all others
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
  base::TimerQueue timer_;
  base::Workers blocking_{"lv-block", kBlockingThreads};
  net::HttpEngine http_{net::HttpEngineOptions{}};
  std::unique_ptr<Store> store_;
};

bool is_url(const std::string& text) {
  return text.find("://") != std::string::npos;
}

Status refuse_s3(const std::string& text) {
  if (!text.starts_with("s3://")) return {};
  return Error{Code::unsupported, text + ": s3:// is not in this version"};
}

}  // namespace

Result<std::string> volume_directory(const std::string& text) {
  if (text.empty()) return Error{Code::invalid_argument, "a volume without a name"};
  if (!is_url(text)) return text;
  LAZYVOL_TRY(refuse_s3(text));
  LAZYVOL_TRY_ASSIGN(const auto url, model::parse_source_url(text));
  if (url.scheme == "file") return url.path;
  return Error{Code::unsupported,
               text + ": is not written to; name the directory that the server shows"};
}

Result<std::unique_ptr<Store>> open_volume(const std::string& text,
                                           const model::MountOptions& options) {
  LAZYVOL_TRY(refuse_s3(text));
  if (is_url(text) && !text.starts_with("file://")) {
    LAZYVOL_TRY_ASSIGN(const auto url, model::parse_source_url(text));
    return RemoteStore::open(url, options);
  }
  LAZYVOL_TRY_ASSIGN(const std::string path, volume_directory(text));
  return open_dir_store(path);
}

}  // namespace lazyvol::publish
