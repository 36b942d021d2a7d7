#include "source/dir_root.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <ctime>
#include <utility>

#include "source/index_names.h"
#include "source/paths.h"

namespace lazyvol::source {
namespace {

constexpr std::int64_t kSettleNs = 2'000'000'000;
constexpr unsigned kWantedStatx =
    STATX_TYPE | STATX_MODE | STATX_UID | STATX_GID | STATX_MTIME | STATX_CTIME | STATX_SIZE;

struct CloseDir {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

int open_below(int root, const char* path, int flags) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  long fd = 0;
  do {
    fd = ::syscall(SYS_openat2, root, path, &how, sizeof how);
    // EAGAIN: a rename elsewhere while the kernel looked for "..", of which there is none here.
  } while (fd < 0 && (errno == EINTR || errno == EAGAIN));
  return static_cast<int>(fd);
}

Result<Fd> open_root(const std::string& path) {
  Fd root(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (root.get() < 0) return errno_error(errno, "open " + path);
  return root;
}

long file_system_of(const Fd& fd) {
  struct statfs fs {};
  return ::fstatfs(fd.get(), &fs) == 0 ? static_cast<long>(fs.f_type) : 0;
}

std::int64_t nanoseconds(const statx_timestamp& time) {
  return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

std::int64_t wall_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

// False for what is neither file, directory nor link.
bool describe_statx(const struct statx& st, RemoteEntry& entry) {
  if (S_ISDIR(st.stx_mode)) {
    entry.type = NodeType::directory;
  } else if (S_ISLNK(st.stx_mode)) {
    entry.type = NodeType::symlink;
  } else if (S_ISREG(st.stx_mode)) {
    entry.type = NodeType::file;
  } else {
    return false;
  }
  const std::int64_t mtime = nanoseconds(st.stx_mtime), ctime = nanoseconds(st.stx_ctime);
  entry.mtime_ns = mtime;
  entry.mode = st.stx_mode & 07777U;
  entry.uid = st.stx_uid;
  entry.gid = st.stx_gid;
  if (entry.type == NodeType::directory) return true;
  entry.size = st.stx_size;
  entry.validator = fmt::format("t:{}-{}-{}", mtime, ctime, st.stx_size);
  entry.settled = wall_ns() - std::max(mtime, ctime) >= kSettleNs;
  return true;
}

Status read_target(int dir, const char* name, RemoteEntry& entry) {
  char target[PATH_MAX];
  const ssize_t length = ::readlinkat(dir, name, target, sizeof target);
  if (length < 0) return errno_error(errno, "readlink " + printable(entry.name));
  entry.symlink_target.assign(target, static_cast<std::size_t>(length));
  entry.size = entry.symlink_target.size();
  return {};
}

std::optional<NodeType> type_of(unsigned char d_type) {
  if (d_type == DT_DIR) return NodeType::directory;
  if (d_type == DT_LNK) return NodeType::symlink;
  if (d_type == DT_REG) return NodeType::file;
  return std::nullopt;
}

// Appends what `item` names to the listing; nothing when it is gone or special.
Status add_item(int dir, const dirent& item, Listing& listing) {
  RemoteEntry entry;
  entry.name = item.d_name;
  if (entry.name == "." || entry.name == "..") return {};
  if (!valid_name(entry.name)) {
    ++listing.refused;
    return {};
  }
  struct statx st {};
  const int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;
  if (::statx(dir, item.d_name, flags, kWantedStatx, &st) != 0) {
    if (errno == ENOENT) return {};
    const auto type = type_of(item.d_type);
    if (errno != EACCES || !type || *type == NodeType::symlink) {
      return errno_error(errno, "stat " + printable(entry.name));
    }
    entry.type = *type;  // a directory that may be read and not searched: names are all there is
  } else if (!describe_statx(st, entry)) {
    return {};
  }
  if (entry.type == NodeType::symlink) {
    if (auto target = read_target(dir, item.d_name, entry); !target.ok()) {
      return target.error().code == Code::not_found ? Status() : target;
    }
  }
  if (listing.entries.size() >= kMaxIndexEntries) {
    return Error{Code::too_large, "the directory has too many entries"};
  }
  listing.entries.push_back(std::move(entry));
  return {};
}

// What openat2 reports, in the terms of the Source contract.
Error resolve_error(int error, const std::string& path) {
  const std::string what = "open " + (path.empty() ? std::string("the root") : printable(path));
  if (error == ENOSYS) return Error{Code::unsupported, what + ": this kernel lacks openat2 (5.6)"};
  if (error == ELOOP) return Error{Code::not_directory, what + ": a symbolic link on the way"};
  if (error == EXDEV) return Error{Code::invalid_argument, what + ": leads out of the source"};
  return errno_error(error, what);
}

}  // namespace

Fd::~Fd() {
  if (fd_ >= 0) ::close(fd_);
}

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = other.release();
  }
  return *this;
}

int Fd::release() {
  return std::exchange(fd_, -1);
}

DirRoot::DirRoot(std::string path, std::shared_ptr<const Fd> root)
    : path_(std::move(path)), file_system_(file_system_of(*root)), root_(std::move(root)) {}

Result<std::shared_ptr<DirRoot>> DirRoot::open(std::string path) {
  LAZYVOL_TRY_ASSIGN(Fd root, open_root(path));
  const Fd probe(open_below(root.get(), ".", O_PATH));
  if (probe.get() < 0) return resolve_error(errno, "");
  return std::shared_ptr<DirRoot>(
      new DirRoot(std::move(path), std::make_shared<const Fd>(std::move(root))));
}

Status DirRoot::reopen() const {
  LAZYVOL_TRY_ASSIGN(Fd root, open_root(path_));
  // Where an NFS server was mounted there is an empty directory now: that proves no absence.
  if (file_system_of(root) != file_system_) {
    return Error{Code::unreachable, path_ + " is on another file system: was it unmounted?"};
  }
  *root_.lock() = std::make_shared<const Fd>(std::move(root));
  return {};
}

// A directory that was deleted still opens, and is empty: that proves nothing about its entries.
Status DirRoot::check_alive() const {
  const std::shared_ptr<const Fd> root = *root_.lock();
  struct statx st {};
  if (::statx(root->get(), "", AT_EMPTY_PATH, STATX_NLINK, &st) != 0) {
    return Error{Code::stale, "the root directory's handle is stale"};
  }
  if (st.stx_nlink == 0) return Error{Code::stale, "the root directory was deleted"};
  return {};
}

Result<Fd> DirRoot::resolve_once(const std::string& path, int flags, int& error) const {
  const std::shared_ptr<const Fd> root = *root_.lock();
  Fd fd(open_below(root->get(), path.empty() ? "." : path.c_str(), flags));
  error = fd.get() < 0 ? errno : 0;
  if (error != 0) return resolve_error(error, path);
  return fd;
}

Result<Fd> DirRoot::resolve(const std::string& path, int flags) const {
  LAZYVOL_TRY(check_path(path));
  int error = 0;
  auto fd = resolve_once(path, flags, error);
  // ENOTCONN: a FUSE file system whose server ended; another may be mounted in its place.
  const bool lost = error == ESTALE || error == ENOTCONN;
  const bool doubtful = lost || error == ENOENT || (error == 0 && path.empty());
  if (!doubtful || (!lost && check_alive().ok())) return fd;
  if (auto again = reopen(); !again.ok()) {
    return Error{Code::unreachable, "the root directory is gone: " + again.error().message};
  }
  return resolve_once(path, flags, error);
}

Result<Listing> DirRoot::list(const std::string& path, const std::stop_token& stop) const {
  LAZYVOL_TRY_ASSIGN(Fd fd, resolve(path, O_RDONLY | O_DIRECTORY));
  const std::unique_ptr<DIR, CloseDir> dir(::fdopendir(fd.get()));
  if (!dir) return errno_error(errno, "open directory " + printable(path));
  fd.release();
  Listing listing;
  while (true) {
    if (stop.stop_requested()) return Error{Code::cancelled, "cancelled"};
    errno = 0;
    const dirent* item = ::readdir(dir.get());
    if (item == nullptr && errno != 0) return errno_error(errno, "list " + printable(path));
    if (item == nullptr) return listing;
    LAZYVOL_TRY(add_item(::dirfd(dir.get()), *item, listing));
  }
}

Result<RemoteEntry> DirRoot::stat(const std::string& path) const {
  // O_NOFOLLOW with O_PATH opens the link itself; RESOLVE_NO_SYMLINKS allows that for the last one.
  LAZYVOL_TRY_ASSIGN(const Fd fd, resolve(path, O_PATH | O_NOFOLLOW));
  LAZYVOL_TRY_ASSIGN(RemoteEntry entry, describe(fd));
  entry.name = last_component(path);
  if (entry.type == NodeType::symlink) LAZYVOL_TRY(read_target(fd.get(), "", entry));
  return entry;
}

Result<Fd> DirRoot::open_file(const std::string& path) const {
  // O_NONBLOCK: a fifo that took the file's place must not hold the thread.
  LAZYVOL_TRY_ASSIGN(Fd fd, resolve(path, O_RDONLY | O_NONBLOCK | O_NOCTTY));
  LAZYVOL_TRY_ASSIGN(const RemoteEntry entry, describe(fd));
  if (entry.type == NodeType::directory) {
    return Error{Code::is_directory, printable(path) + " is a directory"};
  }
  return fd;
}

Result<RemoteEntry> DirRoot::describe(const Fd& file) {
  struct statx st {};
  if (::statx(file.get(), "", AT_EMPTY_PATH, kWantedStatx, &st) != 0) {
    return errno_error(errno, "stat");
  }
  RemoteEntry entry;
  if (!describe_statx(st, entry)) {
    return Error{Code::not_found, "neither a file, a directory nor a symbolic link"};
  }
  return entry;
}

}  // namespace lazyvol::source
