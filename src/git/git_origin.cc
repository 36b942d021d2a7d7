#include "git/git_origin.h"

#include <algorithm>
#include <atomic>
#include <utility>
#include <variant>
#include <vector>

#include "base/workers.h"
#include "catalog/digest.h"
#include "catalog/head.h"
#include "git/blob_fetcher.h"
#include "git/blob_reader.h"
#include "git/compile.h"
#include "git/files.h"
#include "git/lfs_objects.h"
#include "git/memory_read.h"
#include "git/mirror.h"
#include "git/object_name.h"
#include "git/patient_call.h"
#include "source/dir_read.h"
#include "source/dir_source.h"
#include "source/forwarding_transfer.h"
#include "source/lane.h"

namespace lazyvol::git {
namespace {

using std::chrono::steady_clock;

constexpr std::string_view kObjects = "objects/", kPacks = "packs/";
constexpr std::size_t kReaders = 2;
// A stat() of the head that found another one is followed by a read() of it.
constexpr std::chrono::seconds kJustLooked(5);

/// Shows a read of a scratch file as one of the object.
class ObjectSink final : public ReadSink {
 public:
  ObjectSink(std::shared_ptr<ReadSink> sink, std::string name)
      : sink_(std::move(sink)), name_(std::move(name)) {}
  Flow on_start(const ReadStart& start) override {
    ReadStart shown = start;
    shown.validator = name_;
    return sink_->on_start(shown);
  }
  Flow on_data(std::span<const std::byte> data) override { return sink_->on_data(data); }
  void on_done(Status status) override {
    // It may have made room for another between two steps; the next attempt makes it again.
    if (!status.ok() && status.error().code == Code::not_found) {
      status = Error{Code::io_error, status.error().message};
    }
    sink_->on_done(std::move(status));
  }

 private:
  const std::shared_ptr<ReadSink> sink_;
  const std::string name_;
};

/// Where a blob's bytes are.
struct Located {
  std::string id;
  std::uint64_t size = 0;
  std::string bytes;  ///< all of them, if they are few; else they are in the scratch directory
};

class GitOriginImpl final : public GitOrigin {
 public:
  struct Parts {
    std::shared_ptr<Access> access;
    std::unique_ptr<Mirror> mirror;
    std::unique_ptr<BlobReader> reader;
    std::unique_ptr<BlobFetcher> fetcher;
    std::shared_ptr<Source> packs;
    std::shared_ptr<const source::DirRoot> scratch;
    std::string name;
    std::optional<LfsActions::Settings> lfs;  ///< when LFS objects are shown
    std::chrono::milliseconds io_timeout{0};
  };
  GitOriginImpl(Parts parts, std::string display, source::SourceEnvironment environment)
      : parts_(std::move(parts)),
        display_(std::move(display)),
        environment_(environment),
        read_("lv-git-read", kReaders),
        lane_(std::make_shared<source::Lane>(read_, kReaders)),
        head_("lv-git-head", 1) {
    head_progress_.lock()->at = steady_clock::now();
    if (parts_.lfs) {
      lfs_ = std::make_unique<LfsObjects>(*parts_.lfs, environment_, read_, lane_);
      tell_endpoints();
    }
  }

  ~GitOriginImpl() override {
    stop_.request_stop();
    parts_.fetcher->stop();
    parts_.reader->stop();
    if (lfs_) lfs_->stop();
    head_.stop();
    read_.stop();
  }

  std::string volume_name() const override { return parts_.name; }
  SourceTraits traits() const override {
    SourceTraits traits{.scheme = "git",
                        .display = display_,
                        .capabilities = {"revisions", "modes", "symbolic links", "batches"}};
    if (lfs_) traits.capabilities.emplace_back("LFS");
    return traits;
  }

  void list(std::string, std::string, RequestContext, ListDone done) override {
    done(Error{Code::unsupported, "what lies behind a git repository has no listing"});
  }
  void stat(std::string path, RequestContext ctx, StatDone done) override;
  std::shared_ptr<Transfer> read(ReadRequest request, std::shared_ptr<ReadSink> sink,
                                 RequestContext ctx) override;
  void expect(std::vector<std::string> paths) override;

 private:
  using HeadCall = PatientCall<std::shared_ptr<const ShownCommit>>;
  using BlobCall = PatientCall<Located>;
  struct HeadState {
    std::vector<std::shared_ptr<HeadCall>> waiting;
    std::shared_ptr<const ShownCommit> shown;
    steady_clock::time_point looked{};
  };
  struct HeadProgress {
    steady_clock::time_point at;
    bool busy = false;
  };

  void ask_head(bool may_be_known, const RequestContext& ctx, HeadCall::Done done);
  void look();
  void tell_endpoints();
  steady_clock::time_point head_progress() const;
  void locate(std::string name, bool with_bytes, bool may_fetch,
              const std::shared_ptr<BlobCall>& call);
  Result<Located> read_blob(const std::string& id, std::uint64_t size, bool with_bytes);
  std::shared_ptr<BlobCall> blob_call(const RequestContext& ctx, BlobCall::Done done,
                                      std::function<void()> on_progress = {});
  void read_head(ReadRequest request, std::shared_ptr<ReadSink> sink, const RequestContext& ctx);
  void read_object(ReadRequest request, std::string name, std::shared_ptr<ReadSink> sink,
                   const RequestContext& ctx,
                   const std::shared_ptr<source::ForwardingTransfer>& transfer);

  Parts parts_;
  const std::string display_;
  const source::SourceEnvironment environment_;
  std::stop_source stop_;
  base::Locked<HeadState> head_state_;
  base::Locked<HeadProgress> head_progress_;
  base::Workers read_;
  const std::shared_ptr<source::Lane> lane_;  // all of read_
  std::unique_ptr<LfsObjects> lfs_;
  base::Workers head_;
};

std::string head_validator(const ShownCommit& shown) {
  return shown.commit + "-" + std::to_string(shown.head.document.head.sequence);
}

steady_clock::time_point GitOriginImpl::head_progress() const {
  const auto progress = head_progress_.lock();
  return progress->busy ? steady_clock::now() : progress->at;
}

// One look for all who ask meanwhile.
void GitOriginImpl::ask_head(bool may_be_known, const RequestContext& ctx, HeadCall::Done done) {
  auto state = head_state_.lock();
  if (may_be_known && state->shown && steady_clock::now() - state->looked < kJustLooked) {
    const auto shown = state->shown;
    state->looked = {};
    state.unlock();
    return done(shown);
  }
  state.unlock();
  auto call = HeadCall::make(
      environment_.timer, ctx, [this] { return head_progress(); }, std::move(done));
  state = head_state_.lock();
  const bool first = state->waiting.empty();
  state->waiting.push_back(call);
  state.unlock();
  if (first && !head_.submit([this] { look(); })) {
    call->answer(Error{Code::cancelled, "shutting down"});
  }
}

void GitOriginImpl::look() {
  head_progress_.lock()->at = steady_clock::now();
  const Patience patience{parts_.io_timeout, stop_.get_token(),
                          [this] { head_progress_.lock()->at = steady_clock::now(); }};
  head_progress_.lock()->busy = true;
  auto updated = parts_.mirror->update(*parts_.fetcher, *parts_.reader, patience);
  head_progress_.lock()->busy = false;
  if (lfs_ && updated.ok()) tell_endpoints();
  auto state = head_state_.lock();
  Result<std::shared_ptr<const ShownCommit>> answer =
      updated.ok() ? Result<std::shared_ptr<const ShownCommit>>(
                         std::make_shared<const ShownCommit>(*std::move(updated)))
                   : Result<std::shared_ptr<const ShownCommit>>(updated.error());
  if (answer.ok()) state->shown = *answer;
  std::vector<std::shared_ptr<HeadCall>> waiting;
  waiting.swap(state->waiting);
  state.unlock();
  for (const auto& call : waiting) call->answer(answer);
}

void GitOriginImpl::tell_endpoints() {
  for (auto& [remote, endpoint] : parts_.mirror->lfs_endpoints()) {
    lfs_->actions().set_endpoint(remote, endpoint);
  }
}

std::shared_ptr<GitOriginImpl::BlobCall> GitOriginImpl::blob_call(
    const RequestContext& ctx, BlobCall::Done done, std::function<void()> on_progress) {
  return BlobCall::make(
      environment_.timer, ctx,
      [this] { return std::max(parts_.fetcher->progress(), parts_.reader->progress()); },
      std::move(done), std::move(on_progress));
}

/// Looks for the blob here; when it is missing it is fetched and looked for again.
void GitOriginImpl::locate(std::string name, bool with_bytes, bool may_fetch,
                           const std::shared_ptr<BlobCall>& call) {
  const bool taken = read_.submit([this, name, with_bytes, may_fetch, call] {
    if (call->answered()) return;
    const auto place = parse_object_name(name);
    if (!place) return call->answer(Error{Code::not_found, "no object is called " + name});
    const std::vector<std::string> ids{place->id};
    const auto sizes = parts_.reader->sizes(ids);
    if (!sizes.ok()) return call->answer(sizes.error());
    if (sizes->front()) return call->answer(read_blob(place->id, *sizes->front(), with_bytes));
    if (!may_fetch) {
      return call->answer(Error{Code::io_error, "the server did not send the blob " + place->id});
    }
    parts_.fetcher->want(name, [this, name, with_bytes, call](const Status& status) {
      if (!status.ok()) return call->answer(status.error());
      locate(name, with_bytes, false, call);
    });
  });
  if (!taken) call->answer(Error{Code::cancelled, "shutting down"});
}

Result<Located> GitOriginImpl::read_blob(const std::string& id, std::uint64_t size,
                                         bool with_bytes) {
  Located located{id, size, {}};
  if (!with_bytes) return located;
  if (size > kMaxInMemory) {
    LAZYVOL_TRY(parts_.reader->inflate(id));
  } else {
    LAZYVOL_TRY_ASSIGN(located.bytes, parts_.reader->read(id, kMaxInMemory));
  }
  return located;
}

void GitOriginImpl::stat(std::string path, RequestContext ctx, StatDone done) {
  if (path == catalog::kHeadPath) {
    return ask_head(false, ctx, [this, done = std::move(done)](const auto& shown) {
      if (!shown.ok()) return done(shown.error());
      head_state_.lock()->looked = steady_clock::now();
      RemoteEntry entry;
      entry.name = catalog::kHeadPath;
      entry.size = (*shown)->head.text.size();
      entry.validator = head_validator(**shown);
      done(std::move(entry));
    });
  }
  if (path.starts_with(kPacks)) return parts_.packs->stat(std::move(path), ctx, std::move(done));
  if (!path.starts_with(kObjects)) {
    return done(Error{Code::not_found, "a git repository has no " + path});
  }
  std::string name = path.substr(kObjects.size());
  if (const auto place = parse_lfs_object_name(name); place && lfs_) {
    RemoteEntry entry;
    entry.name = name;
    entry.size = place->object.size;
    entry.validator = std::move(name);
    return done(std::move(entry));
  }
  const auto call = blob_call(ctx, [name, done = std::move(done)](const Result<Located>& located) {
    if (!located.ok()) return done(located.error());
    RemoteEntry entry;
    entry.name = name;
    entry.size = located->size;
    entry.validator = name;
    done(std::move(entry));
  });
  locate(std::move(name), false, true, call);
}

std::shared_ptr<Transfer> GitOriginImpl::read(ReadRequest request, std::shared_ptr<ReadSink> sink,
                                              RequestContext ctx) {
  if (request.path.starts_with(kPacks)) {
    return parts_.packs->read(std::move(request), std::move(sink), ctx);
  }
  const auto transfer = std::make_shared<source::ForwardingTransfer>();
  if (request.length == 0) {
    sink->on_done(Error{Code::invalid_argument, "a read of no bytes"});
  } else if (request.path == catalog::kHeadPath) {
    const auto forward = [this, request, sink, ctx, transfer](const auto& shown) {
      if (!shown.ok()) return sink->on_done(shown.error());
      const std::string validator = head_validator(**shown);
      if (!request.validator.empty() && request.validator != validator) {
        return sink->on_done(Error{Code::stale, "another commit is shown now"});
      }
      transfer->set(
          MemoryRead::start((*shown)->head.text, request, validator, sink, ctx.stop, read_));
    };
    ask_head(true, ctx, forward);
  } else if (request.path.starts_with(kObjects)) {
    std::string name = request.path.substr(kObjects.size());
    read_object(std::move(request), std::move(name), std::move(sink), ctx, transfer);
  } else {
    sink->on_done(Error{Code::not_found, "a git repository has no " + request.path});
  }
  return transfer;
}

void GitOriginImpl::read_object(ReadRequest request, std::string name,
                                std::shared_ptr<ReadSink> sink, const RequestContext& ctx,
                                const std::shared_ptr<source::ForwardingTransfer>& transfer) {
  if (!request.validator.empty() && request.validator != name) {
    return sink->on_done(Error{Code::stale, "an object has one version"});
  }
  if (const auto place = parse_lfs_object_name(name); place && lfs_) {
    return lfs_->read(name, *place, std::move(request), std::move(sink), ctx, transfer);
  }
  const auto call = blob_call(
      ctx,
      [this, request, name, sink, ctx, transfer](Result<Located> located) {
        if (!located.ok()) return sink->on_done(located.error());
        if (located->size <= kMaxInMemory) {
          return transfer->set(
              MemoryRead::start(std::move(located->bytes), request, name, sink, ctx.stop, read_));
        }
        const ReadRequest file{located->id, "", request.offset, request.length};
        transfer->set(source::DirRead::start(parts_.scratch, file,
                                             std::make_shared<ObjectSink>(sink, name), ctx,
                                             environment_.timer, lane_));
      },
      [weak = std::weak_ptr<ReadSink>(sink)] {
        if (const auto alive = weak.lock()) alive->on_progress();
      });
  locate(std::move(name), true, true, call);
}

void GitOriginImpl::expect(std::vector<std::string> paths) {
  std::vector<std::string> names;
  std::vector<LfsPlace> places;
  for (const std::string& path : paths) {
    if (!path.starts_with(kObjects)) continue;
    std::string name = path.substr(kObjects.size());
    if (auto place = parse_lfs_object_name(name)) {
      places.push_back(*std::move(place));
    } else {
      names.push_back(std::move(name));
    }
  }
  parts_.fetcher->expect(std::move(names));
  if (lfs_) lfs_->actions().expect(std::move(places));
}

}  // namespace

std::string GitOrigin::mirror_name(const model::SourceUrl& url,
                                   const model::MountOptions& options) {
  constexpr std::size_t kDigits = 32;
  std::string all = url.canonical();
  const std::string submodules = options.submodules ? "submodules" : "";
  for (const std::string& one : {options.ref, options.credentials, options.ca_cert, submodules}) {
    all.append(1, '\0').append(one);
  }
  if (options.lfs) all.append(1, '\0').append("lfs");
  return catalog::sha256(all).hex().substr(0, kDigits);
}

Result<std::shared_ptr<GitOrigin>> GitOrigin::open(const model::SourceUrl& url,
                                                   const model::MountOptions& options,
                                                   const std::filesystem::path& directory,
                                                   source::SourceEnvironment environment) {
  const std::filesystem::path own = directory / mirror_name(url, options);
  LAZYVOL_TRY(make_private_directory(directory));
  LAZYVOL_TRY(make_private_directory(own));
  GitOriginImpl::Parts parts;
  LAZYVOL_TRY_ASSIGN(parts.access, Access::open({url, options.credentials, options.ca_cert,
                                                 options.io_timeout, own / "access.conf"}));
  LAZYVOL_TRY_ASSIGN(parts.mirror, Mirror::open({own, options.ref, options.submodules, options.lfs,
                                                 options.io_timeout},
                                                parts.access));
  LAZYVOL_TRY_ASSIGN(auto blobs, parts.mirror->open_blobs());
  LAZYVOL_TRY_ASSIGN(parts.reader, BlobReader::open({parts.mirror->cat_file(), own / "scratch"}));
  BlobFetcherSettings fetching;
  fetching.io_timeout = options.io_timeout;
  parts.fetcher = std::make_unique<BlobFetcher>(std::move(blobs), *parts.reader, fetching);
  LAZYVOL_TRY_ASSIGN(
      parts.packs, source::make_dir_source(parts.mirror->volume_directory().string(), environment));
  LAZYVOL_TRY_ASSIGN(parts.scratch, source::DirRoot::open((own / "scratch").string()));
  parts.io_timeout = options.io_timeout;
  if (options.lfs) {
    parts.lfs = LfsActions::Settings{parts.access, own / "local.git", options.io_timeout};
  }
  parts.name = url.canonical() + " ref=" + options.ref +
               (options.submodules ? " submodules " : " ") + (options.lfs ? "lfs " : "") +
               parts.mirror->signer().text();
  return std::shared_ptr<GitOrigin>(
      std::make_shared<GitOriginImpl>(std::move(parts), url.canonical(), environment));
}

}  // namespace lazyvol::git
