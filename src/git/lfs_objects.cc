#include "git/lfs_objects.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "git/lfs_read.h"
#include "git/lfs_sink.h"
#include "git/memory_read.h"
#include "git/patient_call.h"
#include "source/dir_read.h"

namespace lazyvol::git {
namespace {

namespace fs = std::filesystem;

}  // namespace

/// One read, for all of its attempts.
struct LfsObjects::Job {
  LfsPlace place;
  ReadRequest request;
  std::shared_ptr<ReadSink> sink;
  RequestContext ctx;
  std::shared_ptr<source::ForwardingTransfer> transfer;
};

LfsObjects::LfsObjects(LfsActions::Settings settings, source::SourceEnvironment environment,
                       base::Workers& workers, std::shared_ptr<source::Lane> lane)
    : environment_(environment),
      workers_(workers),
      lane_(std::move(lane)),
      actions_(std::move(settings), environment) {}

void LfsObjects::read(const std::string& name, const LfsPlace& place, ReadRequest request,
                      std::shared_ptr<ReadSink> sink, const RequestContext& ctx,
                      const std::shared_ptr<source::ForwardingTransfer>& transfer) {
  const std::uint64_t size = place.object.size;
  if (request.offset >= size) {
    (void)sink->on_start({name, request.offset, 0, size});
    return sink->on_done({});
  }
  request.length = std::min(request.length, size - request.offset);
  const auto deliver = [this, name, request, sink, stop = ctx.stop, transfer](std::string bytes) {
    transfer->expect_next();
    transfer->set(MemoryRead::start(std::move(bytes), request, name, sink, stop, workers_));
  };
  auto checked = std::make_shared<LfsSink>(name, place, request, sink, deliver);
  ReadRequest whole = checked->request();
  const auto job =
      std::make_shared<Job>(Job{place, std::move(whole), std::move(checked), ctx, transfer});
  const auto endpoint = actions_.endpoint(place.remote);
  if (endpoint && endpoint->kind == LfsEndpoint::Kind::file) return read_file(job, endpoint->url);
  read_http(job, false);
}

/// An action that is refused is asked for again, once.
void LfsObjects::read_http(const std::shared_ptr<Job>& job, bool again) {
  const auto go_on = [this, job, again](Result<LfsGrant> grant) {
    if (!grant.ok()) return job->sink->on_done(std::move(grant).error());
    const auto refused = [this, job, again, url = grant->action.url](Error error) {
      actions_.forget(job->place, url);
      if (again) return job->sink->on_done(std::move(error));
      read_http(job, true);
    };
    const auto read = std::make_shared<LfsRead>(grant->action, grant->identity, job->request,
                                                job->place.object.size, job->sink, refused);
    read->start(environment_.http, job->ctx, job->transfer);
  };
  const auto call = PatientCall<LfsGrant>::make(
      environment_.timer, job->ctx, [this] { return actions_.progress(); }, go_on);
  actions_.want(job->place, [call](Result<LfsGrant> grant) { call->answer(std::move(grant)); });
}

void LfsObjects::read_file(const std::shared_ptr<Job>& job, const std::string& repository) {
  const bool taken = workers_.submit([this, job, repository] {
    std::error_code failure;
    const fs::path git =
        fs::is_directory(fs::path(repository) / ".git", failure) ? ".git/lfs" : "lfs";
    const auto root = source::DirRoot::open((fs::path(repository) / git / "objects").string());
    if (!root.ok()) return job->sink->on_done(root.error());
    const std::string& oid = job->place.object.oid;
    ReadRequest file = job->request;
    file.path = oid.substr(0, 2) + "/" + oid.substr(2, 2) + "/" + oid;
    file.validator.clear();
    job->transfer->set(source::DirRead::start(*root, std::move(file), job->sink, job->ctx,
                                              environment_.timer, lane_));
  });
  if (!taken) job->sink->on_done(Error{Code::cancelled, "shutting down"});
}

}  // namespace lazyvol::git
