#include "publish/source_store.h"

#include <future>
#include <utility>

#include "source/read_object.h"

namespace lazyvol::publish {
namespace {

class SourceStore final : public Store {
 public:
  SourceStore(std::shared_ptr<Source> source, base::TimerQueue& timer,
              std::chrono::milliseconds no_progress)
      : source_(std::move(source)),
        timer_(timer),
        display_(source_->traits().display),
        no_progress_(no_progress) {}

  std::string display() const override { return display_; }

  Result<std::string> read(const std::string& path, std::uint64_t offset,
                           std::uint64_t limit) override {
    if (limit == 0) return std::string();
    auto object = source::read_object_now(
        source_, timer_, {.path = path, .offset = offset, .limit = limit, .cut = true}, context());
    if (!object.ok()) return std::move(object).error();
    return std::move(object->bytes);
  }

  Result<std::optional<StoredObject>> stat(const std::string& path) override {
    std::promise<Result<RemoteEntry>> promise;
    auto answer = promise.get_future();
    source_->stat(path, context(),
                  [&](Result<RemoteEntry> entry) { promise.set_value(std::move(entry)); });
    auto entry = answer.get();
    if (!entry.ok()) {
      if (entry.error().code == Code::not_found) return std::optional<StoredObject>();
      return std::move(entry).error();
    }
    if (entry->type != NodeType::file) return std::optional<StoredObject>();
    return std::optional(StoredObject{path, entry->size.value_or(0), entry->mtime_ns.value_or(0)});
  }

  Result<std::vector<StoredObject>> list(const std::string&) override {
    return Error{Code::unsupported, display_ + ": what it holds cannot be listed from here"};
  }
  Result<std::unique_ptr<ObjectWriter>> create() override { return read_only(); }
  Status replace(const std::string&, const std::optional<std::string>&, std::string_view) override {
    return read_only();
  }
  Status remove(const std::string&) override { return read_only(); }
  Result<bool> remove_older(const std::string&, std::int64_t) override { return read_only(); }
  Result<std::unique_ptr<StoreLock>> lock() override { return read_only(); }

 private:
  Error read_only() const {
    return {Code::read_only, display_ + ": is not written to; name the directory behind it"};
  }
  RequestContext context() const {
    RequestContext context;
    context.cause = Cause::check;
    context.no_progress = no_progress_;
    return context;
  }

  const std::shared_ptr<Source> source_;
  base::TimerQueue& timer_;
  const std::string display_;
  const std::chrono::milliseconds no_progress_;
};

}  // namespace

std::unique_ptr<Store> make_source_store(std::shared_ptr<Source> source, base::TimerQueue& timer,
                                         std::chrono::milliseconds no_progress) {
  return std::make_unique<SourceStore>(std::move(source), timer, no_progress);
}

}  // namespace lazyvol::publish
