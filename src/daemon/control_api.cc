#include "daemon/control_api.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <future>
#include <initializer_list>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "daemon/profile_file.h"
#include "model/options.h"
#include "model/source_url.h"
#include "volume/profile_record.h"
#include "volume/profile_replay.h"

namespace lazyvol::daemon {
namespace {

using Json = nlohmann::ordered_json;

std::string text_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

ControlResponse ok(const Json& body) {
  return {200, text_of(body) + "\n"};
}

std::string error_line(const Error& error) {
  return text_of({{"error", {{"code", to_string(error.code)}, {"message", error.message}}}});
}

/// A body with the fields of one call: each is there at most once and has the right type.
class Fields {
 public:
  /// Errors: invalid_argument for anything but a JSON object with fields of `known`.
  static Result<Fields> parse(const std::string& body,
                              std::initializer_list<std::string_view> known) {
    Fields fields;
    fields.json_ = body.empty() ? Json::object() : Json::parse(body, nullptr, false);
    if (!fields.json_.is_object()) {
      return Error{Code::invalid_argument, "the request body is not a JSON object"};
    }
    for (const auto& item : fields.json_.items()) {
      if (std::find(known.begin(), known.end(), item.key()) == known.end()) {
        return Error{Code::invalid_argument, "unknown field \"" + item.key() + "\""};
      }
    }
    return fields;
  }

  Result<std::string> text(const char* name) const {
    auto it = json_.find(name);
    if (it == json_.end() || !it->is_string()) return wrong(name, "a string");
    auto value = it->get<std::string>();
    if (value.find('\0') != std::string::npos) return wrong(name, "a string without NUL");
    return value;
  }
  Result<std::string> text_or_empty(const char* name) const {
    return json_.contains(name) ? text(name) : Result<std::string>(std::string());
  }
  Result<bool> flag(const char* name) const {
    auto it = json_.find(name);
    if (it == json_.end()) return false;
    if (!it->is_boolean()) return wrong(name, "true or false");
    return it->get<bool>();
  }
  Result<std::uint64_t> number(const char* name) const {
    auto it = json_.find(name);
    if (it == json_.end() || !it->is_number_unsigned()) return wrong(name, "a number of 0 or more");
    return it->get<std::uint64_t>();
  }

 private:
  static Error wrong(const char* name, const char* want) {
    return {Code::invalid_argument, std::string("field \"") + name + "\" must be " + want};
  }
  Json json_;
};

/// Waits for the one answer of an asynchronous call.
template <class T>
class Answer {
 public:
  std::function<void(Result<T>)> callback() {
    return [promise = promise_](Result<T> result) { promise->set_value(std::move(result)); };
  }
  Result<T> wait() { return promise_->get_future().get(); }

 private:
  std::shared_ptr<std::promise<Result<T>>> promise_ = std::make_shared<std::promise<Result<T>>>();
};

struct Target {
  std::shared_ptr<volume::MountedVolume> volume;
  std::string path;
};

Result<Target> find_target(const MountTable& mounts, const std::string& body) {
  LAZYVOL_TRY_ASSIGN(const auto fields, Fields::parse(body, {"mountpoint", "path"}));
  LAZYVOL_TRY_ASSIGN(const auto mountpoint, fields.text("mountpoint"));
  LAZYVOL_TRY_ASSIGN(const auto encoded, fields.text_or_empty("path"));
  LAZYVOL_TRY_ASSIGN(auto path, model::percent_decode(encoded));
  if (path.size() > kMaxPath) return Error{Code::name_too_long, "path: too long"};
  if (path.starts_with('/') || path.ends_with('/')) {
    return Error{Code::invalid_argument, "path: must be relative to the mountpoint"};
  }
  LAZYVOL_TRY_ASSIGN(auto volume, mounts.volume(mountpoint));
  return Target{std::move(volume), std::move(path)};
}

std::string progress_line(const PrefetchProgress& p) {
  return text_of({{"files_done", p.files_done},
                  {"files_found", p.files_found},
                  {"bytes_done", p.bytes_done},
                  {"bytes_found", p.bytes_found},
                  {"failures", p.failures},
                  {"finished", p.finished}});
}

/// The answer of a call that fetches: lines of progress, and what ends them.
struct PrefetchStream {
  std::shared_ptr<LineStream> lines = std::make_shared<LineStream>();

  std::function<void(const PrefetchProgress&)> progress() const {
    return [lines = lines](const PrefetchProgress& progress) {
      if (!progress.finished) lines->progress(progress_line(progress));
    };
  }
  std::function<void(Result<PrefetchProgress>)> done() const {
    return [lines = lines](Result<PrefetchProgress> done) {
      if (done.ok()) done->finished = true;
      lines->finish(done.ok() ? progress_line(*done) : error_line(done.error()));
    };
  }
};

std::string check_line(const cache::CheckReport& report, bool finished) {
  return text_of({{"blocks_checked", report.blocks_checked},
                  {"bytes_checked", report.bytes_checked},
                  {"corrupt_blocks", report.corrupt_blocks},
                  {"finished", finished}});
}

}  // namespace

ControlApi::ControlApi(Runtime& runtime, MountTable& mounts)
    : runtime_(runtime),
      mounts_(mounts),
      started_(std::chrono::steady_clock::now()),
      checking_(std::make_shared<std::atomic<bool>>(false)) {}

ControlResponse ControlApi::handle(const ControlRequest& request) {
  using Handler = ControlResponse (ControlApi::*)(const ControlRequest&);
  static const std::map<std::string_view, Handler> kPosts{
      {"/v1/mount", &ControlApi::mount},
      {"/v1/umount", &ControlApi::umount},
      {"/v1/refresh", &ControlApi::refresh},
      {"/v1/evict", &ControlApi::evict},
      {"/v1/prefetch", &ControlApi::prefetch},
      {"/v1/cache/check", &ControlApi::check},
      {"/v1/cache/trim", &ControlApi::trim},
      {"/v1/limits", &ControlApi::limits},
      {"/v1/stop", &ControlApi::stop},
      {"/v1/profile/record", &ControlApi::record_profile},
      {"/v1/profile/stop", &ControlApi::stop_profile},
      {"/v1/profile/replay", &ControlApi::replay_profile},
  };
  const bool status_path = request.path == "/v1/status";
  if (status_path && request.method == "GET") return {200, status_to_json(status()) + "\n"};
  const auto post = kPosts.find(request.path);
  if (post != kPosts.end() && request.method == "POST") return (this->*post->second)(request);
  ControlResponse refusal = error_response(
      {Code::not_found, "the control API has no " + request.method + " " + request.path});
  if (status_path || post != kPosts.end()) refusal.status = 405;
  return refusal;
}

DaemonStatus ControlApi::status() const {
  DaemonStatus status;
  status.cache_dir = runtime_.options().cache_dir.string();
  status.uptime =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - started_);
  fill_process_gauges(status);
  status.memory_target = runtime_.options().memory_target;
  status.download_limit = runtime_.download_limit();
  status.cache = runtime_.cache().stats();
  status.http = runtime_.http_stats();
  status.mounts = mounts_.list();
  return status;
}

ControlResponse ControlApi::mount(const ControlRequest& request) {
  const auto run = [&]() -> Status {
    LAZYVOL_TRY_ASSIGN(const auto fields,
                       Fields::parse(request.body, {"source", "mountpoint", "options"}));
    MountRequest mount;
    LAZYVOL_TRY_ASSIGN(mount.source, fields.text("source"));
    LAZYVOL_TRY_ASSIGN(mount.mountpoint, fields.text("mountpoint"));
    LAZYVOL_TRY_ASSIGN(const auto options, fields.text_or_empty("options"));
    LAZYVOL_TRY_ASSIGN(mount.options, model::parse_mount_options(options));
    return mounts_.mount(mount);
  };
  const Status status = run();
  return status.ok() ? ok(Json::object()) : error_response(status.error());
}

ControlResponse ControlApi::umount(const ControlRequest& request) {
  const auto run = [&]() -> Status {
    LAZYVOL_TRY_ASSIGN(const auto fields, Fields::parse(request.body, {"mountpoint", "lazy"}));
    LAZYVOL_TRY_ASSIGN(const auto mountpoint, fields.text("mountpoint"));
    LAZYVOL_TRY_ASSIGN(const auto lazy, fields.flag("lazy"));
    return mounts_.unmount(mountpoint, lazy);
  };
  const Status status = run();
  return status.ok() ? ok(Json::object()) : error_response(status.error());
}

ControlResponse ControlApi::refresh(const ControlRequest& request) {
  auto target = find_target(mounts_, request.body);
  if (!target.ok()) return error_response(target.error());
  RequestContext context;
  context.priority = Priority::metadata;
  context.cause = Cause::refresh;
  context.stop = request.stop;
  Answer<RefreshReport> answer;
  target->volume->refresh(context, answer.callback());
  const auto report = answer.wait();
  if (!report.ok()) return error_response(report.error());
  return ok({{"directories_checked", report->directories_checked},
             {"entries_changed", report->entries_changed},
             {"failures", report->failures}});
}

ControlResponse ControlApi::evict(const ControlRequest& request) {
  auto target = find_target(mounts_, request.body);
  if (!target.ok()) return error_response(target.error());
  Answer<std::uint64_t> answer;
  target->volume->evict(target->path, answer.callback());
  const auto freed = answer.wait();
  if (!freed.ok()) return error_response(freed.error());
  return ok({{"bytes_freed", *freed}});
}

ControlResponse ControlApi::prefetch(const ControlRequest& request) {
  auto target = find_target(mounts_, request.body);
  if (!target.ok()) return error_response(target.error());
  RequestContext context;
  context.priority = Priority::hydrate;
  context.cause = Cause::prefetch;
  const PrefetchStream stream;
  context.stop = stream.lines->stop_token();
  target->volume->prefetch(target->path, context, stream.progress(), stream.done());
  return {200, {}, stream.lines};
}

ControlResponse ControlApi::record_profile(const ControlRequest& request) {
  auto target = find_target(mounts_, request.body);
  if (!target.ok()) return error_response(target.error());
  target->volume->accesses().start();
  return ok(Json::object());
}

ControlResponse ControlApi::stop_profile(const ControlRequest& request) {
  auto target = find_target(mounts_, request.body);
  if (!target.ok()) return error_response(target.error());
  RequestContext context;
  context.priority = Priority::metadata;
  context.cause = Cause::lookup;
  context.stop = request.stop;
  Answer<model::Profile> answer;
  volume::finish_recording(target->volume, context, answer.callback());
  const auto profile = answer.wait();
  if (!profile.ok()) return error_response(profile.error());
  return ok({{"profile", model::format_profile(*profile)}});
}

ControlResponse ControlApi::replay_profile(const ControlRequest& request) {
  const auto run = [&]() -> Result<ControlResponse> {
    LAZYVOL_TRY_ASSIGN(const auto fields, Fields::parse(request.body, {"mountpoint", "file"}));
    LAZYVOL_TRY_ASSIGN(const auto mountpoint, fields.text("mountpoint"));
    LAZYVOL_TRY_ASSIGN(const auto file, fields.text("file"));
    LAZYVOL_TRY_ASSIGN(const auto volume, mounts_.volume(mountpoint));
    LAZYVOL_TRY_ASSIGN(auto profile, read_profile(file));
    RequestContext context;
    const PrefetchStream stream;
    context.stop = stream.lines->stop_token();
    volume::ProfileReplay::run(volume, std::move(profile), context, stream.progress(),
                               stream.done());
    return ControlResponse{200, {}, stream.lines};
  };
  auto response = run();
  return response.ok() ? *std::move(response) : error_response(response.error());
}

ControlResponse ControlApi::check(const ControlRequest& request) {
  if (auto fields = Fields::parse(request.body, {}); !fields.ok()) {
    return error_response(fields.error());
  }
  if (checking_->exchange(true)) {
    return error_response({Code::busy, "a cache check is running already"});
  }
  // Its own thread, joined when the answer is dropped: a check may take hours and must not occupy a
  // worker that others wait for.
  class CheckStream : public LineStream {
   public:
    ~CheckStream() {
      request_stop();
      if (thread.joinable()) thread.join();
      running->store(false);
    }
    std::shared_ptr<std::atomic<bool>> running;
    std::thread thread;
  };
  auto stream = std::make_shared<CheckStream>();
  stream->running = checking_;
  LineStream* lines = stream.get();  // the thread ends before the stream does
  stream->thread = std::thread([lines, &cache = runtime_.cache()] {
    base::name_this_thread("lv-check");
    const auto report = cache.check([lines](const cache::CheckReport& so_far) {
      lines->progress(check_line(so_far, false));
      return !lines->stop_token().stop_requested();
    });
    lines->finish(report.ok() ? check_line(*report, true) : error_line(report.error()));
  });
  return {200, {}, stream};
}

ControlResponse ControlApi::trim(const ControlRequest& request) {
  const auto run = [&]() -> Result<std::uint64_t> {
    LAZYVOL_TRY_ASSIGN(const auto fields, Fields::parse(request.body, {"bytes"}));
    LAZYVOL_TRY_ASSIGN(const auto bytes, fields.number("bytes"));
    return runtime_.cache().trim(bytes);
  };
  const auto freed = run();
  if (!freed.ok()) return error_response(freed.error());
  return ok({{"bytes_freed", *freed}});
}

ControlResponse ControlApi::limits(const ControlRequest& request) {
  const auto run = [&]() -> Status {
    LAZYVOL_TRY_ASSIGN(const auto fields, Fields::parse(request.body, {"options"}));
    LAZYVOL_TRY_ASSIGN(const auto text, fields.text("options"));
    LAZYVOL_TRY_ASSIGN(const auto options, model::parse_mount_options(text));
    LAZYVOL_TRY(model::check_run_time_limits(options));
    mounts_.apply_limits(options);
    return {};
  };
  const Status status = run();
  return status.ok() ? ok(Json::object()) : error_response(status.error());
}

ControlResponse ControlApi::stop(const ControlRequest& request) {
  if (auto fields = Fields::parse(request.body, {}); !fields.ok()) {
    return error_response(fields.error());
  }
  if (!mounts_.close_if_empty()) return error_response({Code::busy, "there are mounts"});
  ::kill(::getpid(), SIGTERM);  // as whoever stops a daemon does it
  return ok(Json::object());
}

}  // namespace lazyvol::daemon
