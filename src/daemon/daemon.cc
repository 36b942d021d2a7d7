#include "daemon/daemon.h"

#include <malloc.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <ctime>
#include <thread>
#include <utility>

#include "daemon/paths.h"

namespace lazyvol::daemon {
namespace {

/// A daemon that is ending no longer answers, and holds its cache directory for a moment still.
Result<std::unique_ptr<Runtime>> open_runtime(const RuntimeOptions& options) {
  constexpr std::chrono::milliseconds kPatience{3'000}, kPause{20};
  const auto until = std::chrono::steady_clock::now() + kPatience;
  for (;;) {
    auto runtime = Runtime::open(options);
    const bool taken = !runtime.ok() && runtime.error().code == Code::busy;
    if (!taken || std::chrono::steady_clock::now() >= until) return runtime;
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace

Result<std::unique_ptr<Daemon>> Daemon::start(const DaemonOptions& options) {
  LAZYVOL_TRY(prepare_runtime_dir(options.runtime_dir, UserContext::current()));
  LAZYVOL_TRY_ASSIGN(auto socket,
                     control_socket_path(options.runtime_dir, options.runtime.cache_dir));
  LAZYVOL_TRY_ASSIGN(auto runtime, open_runtime(options.runtime));
  std::unique_ptr<Daemon> daemon(new Daemon(std::move(runtime), std::move(socket)));
  LAZYVOL_TRY_ASSIGN(daemon->server_,
                     ControlServer::start(daemon->socket_, [api = &daemon->api_](const auto& call) {
                       return api->handle(call);
                     }));
  base::log_info("lazyvold {} serves cache {} on {}", LAZYVOL_VERSION,
                 options.runtime.cache_dir.string(), daemon->socket_.string());
  return daemon;
}

Daemon::Daemon(std::unique_ptr<Runtime> runtime, std::filesystem::path socket)
    : socket_(std::move(socket)),
      runtime_(std::move(runtime)),
      mounts_(*runtime_),
      api_(*runtime_, mounts_) {}

Daemon::~Daemon() {
  stop();
}

void Daemon::refresh_all() {
  for (const auto& mount : mounts_.list()) {
    auto volume = mounts_.volume(mount.mountpoint);
    if (!volume.ok()) continue;
    RequestContext context;
    context.priority = Priority::metadata;
    context.cause = Cause::refresh;
    (*volume)->refresh(context, [mountpoint = mount.mountpoint](Result<RefreshReport> report) {
      if (!report.ok()) base::log_warn("refresh {}: {}", mountpoint, report.error().message);
    });
  }
}

void Daemon::stop() {
  mounts_.unmount_all();  // first: what streams and handlers wait for ends with the volumes
  server_.reset();
}

void block_daemon_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  struct sigaction ignore {};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &ignore, nullptr);
}

void serve_until_signal(Daemon& daemon, bool until_unmounted) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
  const timespec wait{until_unmounted ? 0 : 3600, until_unmounted ? 200'000'000 : 0};
  for (;;) {
    const int signal = sigtimedwait(&set, nullptr, &wait);
    if (signal == SIGTERM || signal == SIGINT) break;
    if (signal == SIGHUP) daemon.refresh_all();
    if (until_unmounted && daemon.mounts().empty()) break;
  }
  base::log_info("stopping");
  daemon.stop();
}

void apply_process_settings() {
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  mallopt(M_ARENA_MAX, 1);
  umask(077);
}

}  // namespace lazyvol::daemon
