#include "fuse/session.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/workers.h"
#include "fuse/kernel_mount.h"
#include "fuse/mount_fd.h"
#include "fuse/mount_info.h"
#include "fuse/notifier.h"
#include "fuse/operations.h"

namespace lazyvol::fuse {
namespace {

/// Wakes a worker out of read(2) on /dev/fuse. Does nothing else, so its handler is empty.
constexpr int kWakeSignal = SIGUSR2;

void on_wake_signal(int) {}

void log_from_libfuse(fuse_log_level level, const char* format, va_list arguments) {
  char line[512];
  std::vsnprintf(line, sizeof line, format, arguments);
  std::string_view text(line);
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  if (level <= FUSE_LOG_WARNING) {
    base::log_warn("libfuse: {}", text);
  } else {
    base::log_debug("libfuse: {}", text);
  }
}

void prepare_process() {
  static std::once_flag once;  // process-wide by nature: a signal's disposition, libfuse's log hook
  std::call_once(once, [] {
    fuse_set_log_func(log_from_libfuse);
    struct sigaction action {};
    action.sa_handler = on_wake_signal;  // without SA_RESTART, so that read(2) returns EINTR
    sigaction(kWakeSignal, &action, nullptr);
  });
}

bool fuse_conf_allows_other() {
  std::ifstream file("/etc/fuse.conf");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("user_allow_other")) return true;
  }
  return false;
}

Status check_mountpoint(const SessionOptions& options) {
  const auto& path = options.mountpoint;
  struct stat attributes {};
  if (stat(path.c_str(), &attributes) != 0) {
    if (errno == ENOTCONN) {
      return Error{Code::busy, path.string() + " holds a dead mount; unmount it first"};
    }
    return errno_error(errno, "mountpoint " + path.string());
  }
  if (!S_ISDIR(attributes.st_mode)) {
    return Error{Code::not_directory, "mountpoint " + path.string() + " is not a directory"};
  }
  std::error_code failure;
  if (std::filesystem::canonical(path, failure) != path) {  // the kernel's table would not show it
    return Error{Code::invalid_argument,
                 "mountpoint " + path.string() + " must be absolute and without symlinks"};
  }
  LAZYVOL_TRY_ASSIGN(const auto mounts, read_mount_info());
  if (const auto* mount = mount_at(mounts, path.native()); mount != nullptr && mount->lazyvol()) {
    return Error{Code::busy, path.string() + " is already mounted (" + mount->source + ")"};
  }
  if (access("/dev/fuse", R_OK | W_OK) != 0) {
    return errno_error(errno, "/dev/fuse (is the fuse module loaded, and may you use it?)");
  }
  if (options.allow_other && geteuid() != 0 && !fuse_conf_allows_other()) {
    return Error{Code::access_denied,
                 "allow-other needs root, or user_allow_other in /etc/fuse.conf"};
  }
  return {};
}

class SessionImpl final : public Session {
 public:
  SessionImpl(std::shared_ptr<Volume> volume, SessionOptions options,
              std::function<void()> on_unmounted)
      : options_(std::move(options)),
        on_unmounted_(std::move(on_unmounted)),
        bridge_(std::move(volume), options_.open) {}

  ~SessionImpl() override {
    if (session_ == nullptr) return;
    unmounting_ = true;
    if (mounted_ && visible()) (void)unmount_path(options_.mountpoint, true);
    join();
    bridge_.volume->listen(nullptr);
    if (bridge_.listings != nullptr) bridge_.listings->stop();
    notifier_->stop();
    bridge_.calls.wait_idle();
    bridge_.modes.clear();
    bridge_.files.clear();
    bridge_.directories.clear();
    bridge_.recent_files.clear();
    bridge_.recent_directories.clear();
    fuse_session_destroy(session_);
  }

  Status start() {
    prepare_process();
    LAZYVOL_TRY(check_mountpoint(options_));
    LAZYVOL_TRY(make_session());
    LAZYVOL_TRY(attach());
    notifier_ = std::make_unique<Notifier>(session_);
    ChangeListener* listener = notifier_.get();
    if (bridge_.opens_by_kernel) {
      bridge_.listings = std::make_unique<ListingExpiry>(*notifier_);
      listener = bridge_.listings.get();
    }
    bridge_.volume->listen(listener);
    running_ = options_.threads;
    for (unsigned i = 0; i < options_.threads; ++i) {
      workers_.emplace_back([this, i] { serve(i); });
    }
    set_readahead(device_, options_.readahead_kib);
    return {};
  }

  Status unmount(bool lazy) override {
    const std::lock_guard lock(unmount_mutex_);
    unmounting_ = !lazy;
    if (mounted_ && visible()) {
      const Status done = unmount_path(options_.mountpoint, lazy);
      if (!done.ok() && done.error().code != Code::not_found) {
        unmounting_ = false;
        return done;
      }
    }
    mounted_ = false;
    if (!lazy) join();
    return {};
  }

  bool visible() const override {
    const auto mounts = read_mount_info();
    if (!mounts.ok()) return true;  // nothing is proved
    return std::any_of(mounts->begin(), mounts->end(), [&](const MountInfo& mount) {
      return mount.device == device_ && mount.mountpoint == options_.mountpoint.native();
    });
  }

  SessionStats stats() const override {
    return {bridge_.calls.requests,         bridge_.calls.errors,
            bridge_.calls.interrupted,      bridge_.calls.waiting(),
            bridge_.passthrough.on(),       bridge_.passthrough.reason(),
            bridge_.modes.passed_through(), bridge_.modes.passing_now()};
  }

 private:
  Status make_session() {
    std::string name = "lazyvol", flag = "-o";
    std::string max_read = "max_read=" + std::to_string(kMaxRead);  // as the kernel was told
    char* argv[] = {name.data(), flag.data(), max_read.data()};
    fuse_args arguments = FUSE_ARGS_INIT(3, argv);
    session_ = fuse_session_new(&arguments, &operations(), sizeof(fuse_lowlevel_ops), &bridge_);
    fuse_opt_free_args(&arguments);
    if (session_ == nullptr) return Error{Code::out_of_memory, "libfuse made no session"};
    return {};
  }

  /// Mounts, and gives libfuse the connection.
  Status attach() {
    auto fd = mount_fuse({options_.mountpoint, options_.fsname, options_.allow_other,
                          options_.default_permissions, options_.noexec, kMaxRead});
    if (!fd.ok()) {
      fuse_session_destroy(std::exchange(session_, nullptr));
      return fd.error();
    }
    if (const Status given = bridge_.passthrough.attach(session_, *fd); !given.ok()) {
      close(*fd);
      return take_back(given.error());
    }
    const auto mounts = read_mount_info();
    if (!mounts.ok()) return take_back(mounts.error());
    const auto* own = mount_at(*mounts, options_.mountpoint.native());
    if (own == nullptr) return take_back({Code::io_error, "the new mount does not show"});
    device_ = own->device;
    mounted_ = true;
    return {};
  }

  /// Nothing stays of a mount that cannot be served.
  Error take_back(Error why) {
    (void)unmount_path(options_.mountpoint, true);
    fuse_session_destroy(std::exchange(session_, nullptr));
    return why;
  }

  /// One worker: takes a request, answers it or starts what will, until the connection ends.
  void serve(unsigned number) {
    base::name_this_thread("lv-fuse-" + std::to_string(number));
    sigset_t wake;
    sigemptyset(&wake);
    sigaddset(&wake, kWakeSignal);
    pthread_sigmask(SIG_UNBLOCK, &wake, nullptr);
    fuse_buf request{};
    while (!fuse_session_exited(session_)) {
      const int length = fuse_session_receive_buf(session_, &request);
      if (length == -EINTR || length == -EAGAIN) continue;
      if (length <= 0) break;
      fuse_session_process_buf(session_, &request);
    }
    std::free(request.mem);
    fuse_session_exit(session_);
    const bool last = running_.fetch_sub(1) == 1;
    if (!last || unmounting_) return;
    mounted_ = false;  // the kernel ended it: what is mounted there now is not ours
    if (on_unmounted_) on_unmounted_();
  }

  /// Ends the workers, whether or not the kernel still holds the connection.
  void join() {
    fuse_session_exit(session_);
    for (auto& worker : workers_) {
      if (!worker.joinable()) continue;
      // A signal that arrives before read(2) begins is lost, so it is repeated.
      while (running_ > 0) {
        for (auto& target : workers_) pthread_kill(target.native_handle(), kWakeSignal);
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
      }
      worker.join();
    }
    workers_.clear();
  }

  const SessionOptions options_;
  const std::function<void()> on_unmounted_;
  Bridge bridge_;
  fuse_session* session_ = nullptr;
  std::string device_;  // "MAJOR:MINOR" of the mount; constant after start()
  std::unique_ptr<Notifier> notifier_;
  std::vector<std::thread> workers_;  // guarded by unmount_mutex_ after start()
  std::mutex unmount_mutex_;
  std::atomic<bool> mounted_{false};
  std::atomic<bool> unmounting_{false};
  std::atomic<unsigned> running_{0};
};

}  // namespace

Result<std::unique_ptr<Session>> Session::mount(std::shared_ptr<Volume> volume,
                                                SessionOptions options,
                                                std::function<void()> on_unmounted) {
  auto session =
      std::make_unique<SessionImpl>(std::move(volume), std::move(options), std::move(on_unmounted));
  LAZYVOL_TRY(session->start());
  return std::unique_ptr<Session>(std::move(session));
}

}  // namespace lazyvol::fuse
