#include "source/s3_source.h"

#include <fmt/core.h>

#include <utility>

#include "source/forwarding_transfer.h"
#include "source/http_read.h"
#include "source/http_stat.h"
#include "source/paths.h"
#include "source/s3_list.h"
#include "source/s3_site.h"

namespace lazyvol::source {
namespace {

// Passes a read on. A key that is not there may still be a directory, which only a listing tells.
class NotFoundIsAsked : public ReadSink {
 public:
  NotFoundIsAsked(std::shared_ptr<S3Site> site, std::string path, const RequestContext& ctx,
                  std::shared_ptr<ReadSink> sink)
      : site_(std::move(site)), path_(std::move(path)), ctx_(ctx), sink_(std::move(sink)) {}

  Flow on_start(const ReadStart& start) override { return sink_->on_start(start); }
  Flow on_data(std::span<const std::byte> data) override { return sink_->on_data(data); }
  void on_done(Status status) override {
    if (status.ok() || status.error().code != Code::not_found) {
      return sink_->on_done(std::move(status));
    }
    first_s3_key(site_, site_->address().key_of(path_) + "/", ctx_,
                 [sink = sink_, path = path_, status](Result<std::string> first) {
                   if (!first.ok()) return sink->on_done(first.error());
                   if (first->empty()) return sink->on_done(status);
                   sink->on_done(Error{Code::is_directory, printable(path)});
                 });
  }

 private:
  const std::shared_ptr<S3Site> site_;
  const std::string path_;
  const RequestContext ctx_;
  const std::shared_ptr<ReadSink> sink_;
};

class S3Source : public Source {
 public:
  explicit S3Source(std::shared_ptr<S3Site> site) : site_(std::move(site)) {}
  // Whoever still waits for keys keeps the site: it must not reach the engine any more.
  ~S3Source() override { site_->keys().close(); }

  SourceTraits traits() const override {
    return {.scheme = "s3",
            .display = site_->address().display(),
            .capabilities = {"exact listings", "conditional reads", "times in ms"}};
  }

  void list(std::string path, std::string, RequestContext ctx, ListDone done) override {
    if (auto valid = check(path); !valid.ok()) return done(valid.error());
    list_s3(site_, path.empty() ? site_->address().prefix() : key_of(path) + "/", ctx,
            std::move(done));
  }

  // A directory hides a file of its name, so it is asked for first.
  void stat(std::string path, RequestContext ctx, StatDone done) override {
    if (auto valid = check(path); !valid.ok()) return done(valid.error());
    RemoteEntry directory;
    directory.type = NodeType::directory;
    directory.name = last_component(path);
    if (path.empty()) return done(std::move(directory));
    auto then = [site = site_, path, ctx, directory,
                 done = std::move(done)](Result<std::string> first) {
      if (!first.ok() && first.error().code != Code::access_denied) return done(first.error());
      if (first.ok() && !first->empty()) return done(directory);
      // Without the permission to list, a file that can be read can be described all the same.
      const auto refusal = first.ok() ? std::nullopt : std::optional(first.error());
      stat_object(site, path, ctx, [refusal, done](Result<RemoteEntry> entry) {
        const bool unproved = !entry.ok() && entry.error().code == Code::not_found && refusal;
        done(unproved ? Result<RemoteEntry>(*refusal) : std::move(entry));
      });
    };
    first_s3_key(site_, key_of(path) + "/", ctx, std::move(then));
  }

  std::shared_ptr<Transfer> read(ReadRequest request, std::shared_ptr<ReadSink> sink,
                                 RequestContext ctx) override {
    Status valid = check(request.path);
    if (valid.ok() && request.path.empty()) valid = Error{Code::is_directory, "the root"};
    if (!valid.ok()) {
      sink->on_done(std::move(valid));
      return std::make_shared<ForwardingTransfer>();
    }
    if (request.validator.empty()) {
      sink = std::make_shared<NotFoundIsAsked>(site_, request.path, ctx, std::move(sink));
    }
    std::string url = site_->object_url(key_of(request.path));
    return start_http_read(site_, std::move(url), std::move(request), std::move(sink), ctx);
  }

 private:
  std::string key_of(const std::string& path) const { return site_->address().key_of(path); }

  Status check(const std::string& path) const {
    LAZYVOL_TRY(check_path(path));
    if (key_of(path).size() <= kMaxS3Key) return {};
    return Error{Code::not_found, printable(path) + ": longer than any S3 key"};
  }

  static void stat_object(const std::shared_ptr<S3Site>& site, const std::string& path,
                          const RequestContext& ctx, StatDone done) {
    http_stat(site, site->object_url(site->address().key_of(path)), path, ctx,
              [done = std::move(done)](Result<HttpStat> stat) {
                if (!stat.ok()) return done(stat.error());
                // An ETag is made anew by each write: a change cannot hide.
                if (stat->entry.validator.starts_with("e:")) stat->entry.settled = true;
                done(std::move(stat->entry));
              });
  }

  const std::shared_ptr<S3Site> site_;
};

}  // namespace

Result<std::shared_ptr<Source>> make_s3_source(const model::SourceUrl& url,
                                               const model::MountOptions& options,
                                               SourceEnvironment environment, S3Tuning tuning) {
  LAZYVOL_TRY_ASSIGN(auto site, S3Site::make(url, options, environment, std::move(tuning)));
  return std::shared_ptr<Source>(std::make_shared<S3Source>(std::move(site)));
}

}  // namespace lazyvol::source
