#include "publish/s3_store.h"

#include <fmt/core.h>

#include <algorithm>
#include <string>
#include <utility>

#include "base/locked.h"
#include "base/log.h"
#include "publish/network.h"
#include "publish/object_path.h"
#include "publish/s3_conditions.h"
#include "publish/s3_lease.h"
#include "publish/s3_objects.h"
#include "publish/s3_strays.h"
#include "publish/s3_upload.h"
#include "source/paths.h"

namespace lazyvol::publish {
namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr std::uint32_t kUploads = 8;  // at once; the requests of others have connections left
constexpr std::string_view kPacks = "packs/", kRevisions = "revisions/";
// Whoever opens a store wants to know soon that it cannot be reached.
constexpr std::uint32_t kRetriesAtFirst = 3;

// What caches between bucket and mounts may do with an object.
std::string_view cache_control(std::string_view path) {
  if (path.starts_with(kPacks)) return "public, max-age=31536000, immutable";
  if (path.starts_with(kRevisions)) return "public, max-age=3600";
  return "public, max-age=0, must-revalidate";
}

std::string shown(const model::SourceUrl& url) {
  std::string text = url.canonical();
  while (text.ends_with('/')) text.pop_back();
  return text;
}

class S3Store final : public Store {
 public:
  S3Store(std::string display, std::unique_ptr<Network> network,
          std::shared_ptr<source::S3Site> site, const model::MountOptions& options,
          S3StoreTuning tuning)
      : display_(std::move(display)),
        tuning_(std::move(tuning)),
        network_(std::move(network)),
        site_(std::move(site)),
        objects_(S3Requests(site_, options.io_timeout, options.io_retries, tuning_.stop)),
        lock_key_(key_of(std::string(kOwnDirectory) + "/lock")),
        probe_key_(key_of(std::string(kOwnDirectory) + "/conditions")),
        uploaders_("lv-upload", std::min(options.max_connections, kUploads)) {}

  // Whoever still waits for keys keeps the site: it must not reach the engine any more.
  ~S3Store() override {
    uploaders_.stop();
    site_->keys().close();
  }

  /// Asks for one key, so that what is wrong with bucket, place or keys is told at once.
  Status check_readable(const model::MountOptions& options) const {
    const S3Objects soon(S3Requests(site_, options.io_timeout,
                                    std::min(options.io_retries, kRetriesAtFirst), tuning_.stop));
    const auto listed = soon.list(key_of(""), 1);
    if (listed.ok()) return {};
    Error error = listed.error().in(display_);
    if (error.code == Code::not_found) error.message += " (make it, or see endpoint and region)";
    return error;
  }

  Status check_writable() {
    const auto conditional = conditions();
    if (!conditional.ok()) {
      Error error = conditional.error().in(display_);
      if (error.code == Code::access_denied) {
        error.message +=
            " (publishing needs s3:ListBucket, s3:GetObject, s3:PutObject and s3:DeleteObject)";
      }
      return error;
    }
    if (!*conditional) {
      base::log_warn(
          "{}: the service does not honour If-Match and If-None-Match: publish from one place at a "
          "time",
          display_);
    }
    // Parts that stay behind cost money, but do no harm.
    const auto strays =
        abort_stray_uploads(objects_, key_of(std::string(kPacks)), tuning_.stray_age);
    if (!strays.ok() && strays.error().code != Code::access_denied &&
        strays.error().code != Code::unsupported) {
      base::log_warn("{}: looking for uploads that were given up: {}", display_,
                     strays.error().message);
    }
    return {};
  }

  std::string display() const override { return display_; }

  Result<std::string> read(const std::string& path, std::uint64_t offset,
                           std::uint64_t limit) override {
    LAZYVOL_TRY_ASSIGN(const std::string key, checked_key(path));
    if (limit == 0) return std::string();
    LAZYVOL_TRY_ASSIGN(S3Content content, objects_.get(key, offset, limit));
    return std::move(content.bytes);
  }

  Result<std::optional<StoredObject>> stat(const std::string& path) override {
    LAZYVOL_TRY_ASSIGN(const std::string key, checked_key(path));
    LAZYVOL_TRY_ASSIGN(const auto object, objects_.head(key));
    if (!object) return std::optional<StoredObject>();
    return std::optional(StoredObject{path, object->size, object->mtime_s * kSecondNs});
  }

  Result<std::vector<StoredObject>> list(const std::string& prefix) override {
    LAZYVOL_TRY_ASSIGN(const auto listed, objects_.list(key_of(prefix)));
    std::vector<StoredObject> result;
    result.reserve(listed.size());
    for (const S3Listed& one : listed) {
      std::string path = one.key.substr(site_->address().prefix().size());
      if (!check_object_path(path).ok()) continue;  // ours, or no file of any volume
      result.push_back({std::move(path), one.size, one.mtime_s * kSecondNs});
    }
    // Not every service sorts by bytes.
    std::sort(result.begin(), result.end(),
              [](const auto& a, const auto& b) { return a.path < b.path; });
    return result;
  }

  Result<std::unique_ptr<ObjectWriter>> create() override;

  Status replace(const std::string& path, const std::optional<std::string>& expected,
                 std::string_view document) override {
    LAZYVOL_TRY_ASSIGN(const std::string key, checked_key(path));
    LAZYVOL_TRY_ASSIGN(const bool conditional, conditions());
    if (conditional) {
      const bool own = !held_.lock()->expired();  // waiting for ourselves would last for ever
      LAZYVOL_TRY(await_lease(objects_, lock_key_, tuning_.lease,
                              own ? std::chrono::milliseconds(0) : tuning_.lock_patience));
    }
    S3Condition condition;
    if (expected || !conditional) {
      LAZYVOL_TRY_ASSIGN(condition, compare(key, expected));
    }
    if (!conditional) {
      const auto payload = std::make_shared<net::Payload>();
      payload->bytes = document;
      return objects_.put(key, hashed(payload), cache_control(path));
    }
    const auto written = objects_.put_if(key, document, cache_control(path), condition);
    if (!written.ok()) return written.error();
    return {};
  }

  Status remove(const std::string& path) override {
    LAZYVOL_TRY_ASSIGN(const std::string key, checked_key(path));
    return objects_.remove(key);
  }

  Result<bool> remove_older(const std::string& path, std::int64_t before_ns) override {
    LAZYVOL_TRY_ASSIGN(const std::string key, checked_key(path));
    std::shared_ptr<S3Lease> lease = held_.lock()->lock();
    if (!lease) {
      LAZYVOL_TRY_ASSIGN(lease, take_lease());
    }
    const S3Objects soon(objects_.requests().unstoppable());
    for (Patience patience = objects_.requests().patience();;) {
      LAZYVOL_TRY_ASSIGN(const auto object, objects_.head(key));
      if (!object) return true;
      if (object->mtime_s * kSecondNs > before_ns) return false;
      if (!lease->holds()) {
        return Error{Code::busy, display_ + ": the lock was lost: the service did not answer"};
      }
      // Once: when the answer is lost the object may be gone, and another one have come.
      const Status removed = soon.remove_once(key);
      if (removed.ok()) return true;
      const auto delay = patience.after(removed.error());
      if (!delay) return removed.error();
      if (!objects_.requests().pause(*delay)) return Error{Code::cancelled, "stopped"};
    }
  }

  Result<std::unique_ptr<StoreLock>> lock() override;

  Status commit(const std::string& path, const Parts& parts) {
    LAZYVOL_TRY_ASSIGN(const std::string key, checked_key(path));
    LAZYVOL_TRY_ASSIGN(const auto present, objects_.head(key));
    if (present) {
      LAZYVOL_TRY_ASSIGN(const bool stays, keep(key, cache_control(path)));
      if (stays) return {};
    }
    if (parts.size() > 1) {
      return upload_in_parts(objects_, uploaders_, key, parts, cache_control(path));
    }
    const auto only = parts.empty() ? std::make_shared<net::Payload>() : parts.front();
    return objects_.put(key, hashed(only), cache_control(path));
  }

 private:
  std::string key_of(const std::string& path) const { return site_->address().key_of(path); }

  Result<std::string> checked_key(const std::string& path) const {
    LAZYVOL_TRY(check_object_path(path));
    std::string key = key_of(path);
    if (key.size() <= source::kMaxS3Key) return key;
    return Error{Code::name_too_long, display_ + "/" + path + ": longer than any S3 key"};
  }

  /// Asked once, with everybody else waiting: what a service can do stays.
  Result<bool> conditions() {
    const auto known = conditions_.lock();
    if (!known->has_value()) {
      LAZYVOL_TRY_ASSIGN(*known, honours_conditions(objects_, probe_key_));
    }
    return **known;
  }

  /// That the document is as the caller knows it; gives what says so.
  Result<S3Condition> compare(const std::string& key, const std::optional<std::string>& expected) {
    const auto changed = [&] {
      return Error{Code::busy,
                   fmt::format("{}: '{}' was changed by somebody else meanwhile: publish again",
                               display_, source::printable(key))};
    };
    // One byte more than is expected shows a longer document.
    auto present = objects_.get(key, 0, expected ? expected->size() + 1 : 1);
    if (!present.ok() && present.error().code == Code::not_found) {
      if (expected) return changed();
      return S3Condition();
    }
    if (!present.ok()) return std::move(present).error();
    if (!expected || present->bytes != *expected) return changed();
    if (!present->object.etag.empty()) return S3Condition{present->object.etag};
    // A range of an empty document is refused without a tag.
    LAZYVOL_TRY_ASSIGN(const auto empty, objects_.head(key));
    if (!empty || empty->size != 0) return changed();
    return S3Condition{empty->etag};
  }

  /// Makes an object that is there count as written now. False: it is gone.
  Result<bool> keep(const std::string& key, std::string_view cache) {
    const Status touched = objects_.touch(key, cache);
    if (!touched.ok() && touched.error().code == Code::not_found) return false;
    if (!touched.ok()) return touched.error();
    LAZYVOL_TRY_ASSIGN(const bool conditional, conditions());
    if (!conditional) return true;  // nobody can hold the lock
    LAZYVOL_TRY_ASSIGN(const bool waited,
                       await_lease(objects_, lock_key_, tuning_.lease, tuning_.lock_patience));
    if (!waited) return true;
    LAZYVOL_TRY_ASSIGN(const auto still, objects_.head(key));
    return still.has_value();
  }

  Result<std::shared_ptr<S3Lease>> take_lease() {
    LAZYVOL_TRY_ASSIGN(const bool conditional, conditions());
    if (!conditional) {
      return Error{Code::unsupported,
                   display_ +
                       ": cannot be locked, which gc needs: the service does not honour "
                       "If-Match and If-None-Match"};
    }
    LAZYVOL_TRY_ASSIGN(auto lease, S3Lease::take(objects_, lock_key_, tuning_.lease));
    return std::shared_ptr<S3Lease>(std::move(lease));
  }

  const std::string display_;
  const S3StoreTuning tuning_;
  const std::unique_ptr<Network> network_;  // before all that uses it
  const std::shared_ptr<source::S3Site> site_;
  const S3Objects objects_;
  const std::string lock_key_, probe_key_;
  base::Locked<std::optional<bool>> conditions_;
  base::Locked<std::weak_ptr<S3Lease>> held_;
  base::Workers uploaders_;
};

class S3Lock final : public StoreLock {
 public:
  explicit S3Lock(std::shared_ptr<S3Lease> lease) : lease_(std::move(lease)) {}

 private:
  const std::shared_ptr<S3Lease> lease_;
};

Result<std::unique_ptr<StoreLock>> S3Store::lock() {
  LAZYVOL_TRY_ASSIGN(std::shared_ptr<S3Lease> lease, take_lease());
  *held_.lock() = lease;
  return std::unique_ptr<StoreLock>(std::make_unique<S3Lock>(std::move(lease)));
}

// Keeps what is written, cut into parts, until its name is known.
class S3Writer final : public ObjectWriter {
 public:
  explicit S3Writer(S3Store& store) : store_(store) {}

  Status write(std::string_view bytes) override {
    if (size_ + bytes.size() > kMaxS3Object) {
      return Error{Code::too_large, fmt::format("{}: an object of more than {} bytes",
                                                store_.display(), kMaxS3Object)};
    }
    size_ += bytes.size();
    while (!bytes.empty()) {
      if (parts_.empty() || parts_.back()->bytes.size() == kPartBytes) {
        parts_.push_back(std::make_shared<net::Payload>());
        if (parts_.size() > 1) parts_.back()->bytes.reserve(kPartBytes);
      }
      std::string& part = parts_.back()->bytes;
      const std::size_t taken = std::min(bytes.size(), kPartBytes - part.size());
      part.append(bytes.substr(0, taken));
      bytes.remove_prefix(taken);
    }
    return {};
  }

  Status commit(const std::string& path) override { return store_.commit(path, parts_); }

 private:
  S3Store& store_;
  Parts parts_;
  std::uint64_t size_ = 0;
};

Result<std::unique_ptr<ObjectWriter>> S3Store::create() {
  return std::unique_ptr<ObjectWriter>(std::make_unique<S3Writer>(*this));
}

Result<std::unique_ptr<S3Store>> open_store(const model::SourceUrl& url,
                                            const model::MountOptions& options,
                                            S3StoreTuning tuning) {
  auto network = std::make_unique<Network>(options.max_connections);
  source::S3Tuning s3 = tuning.s3;
  s3.complains = false;  // whoever called sees the error
  LAZYVOL_TRY_ASSIGN(auto site,
                     source::S3Site::make(url, options, network->environment(), std::move(s3)));
  auto store = std::make_unique<S3Store>(shown(url), std::move(network), std::move(site), options,
                                         std::move(tuning));
  LAZYVOL_TRY(store->check_readable(options));
  return store;
}

}  // namespace

Result<std::unique_ptr<Store>> make_s3_store(const model::SourceUrl& url,
                                             const model::MountOptions& options,
                                             S3StoreTuning tuning) {
  LAZYVOL_TRY_ASSIGN(auto store, open_store(url, options, std::move(tuning)));
  LAZYVOL_TRY(store->check_writable());
  return std::unique_ptr<Store>(std::move(store));
}

Result<std::unique_ptr<Store>> open_s3_store(const model::SourceUrl& url,
                                             const model::MountOptions& options,
                                             S3StoreTuning tuning) {
  LAZYVOL_TRY_ASSIGN(auto store, open_store(url, options, std::move(tuning)));
  return std::unique_ptr<Store>(std::move(store));
}

}  // namespace lazyvol::publish
