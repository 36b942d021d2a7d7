#include "publish/dir_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <system_error>
#include <thread>
#include <utility>

#include "catalog/head.h"
#include "publish/dir_files.h"
#include "publish/object_path.h"

namespace lazyvol::publish {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kTemporary = "tmp-";
// Where files cannot be locked, only age tells that nobody writes one any more.
constexpr std::int64_t kStraySeconds = 24 * 3600;
// A head is replaced in milliseconds; who holds its lock for so long is stuck.
constexpr auto kLockPatience = std::chrono::seconds(10);
// Who wants it for something else comes again.
constexpr auto kShortPatience = std::chrono::seconds(1);
constexpr auto kLockPoll = std::chrono::milliseconds(10);

std::string parent_of(const std::string& path) {
  return path.substr(0, path.find_last_of('/'));
}

// A file that nobody sees yet, locked while it is written.
class Temporary {
 public:
  static Result<Temporary> create(const std::string& own_dir) {
    static std::atomic<unsigned> number{0};
    for (int tries = 0; tries < 100; ++tries) {
      std::string path = own_dir + "/" + std::string(kTemporary) + std::to_string(::getpid()) +
                         "-" + std::to_string(std::time(nullptr)) + "-" +
                         std::to_string(number.fetch_add(1));
      Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
      if (file.get() < 0 && errno == EEXIST) continue;
      if (file.get() < 0) return errno_error(errno, "create " + path);
      // Somebody who clears up may have found the file before it was locked.
      struct stat status {};
      if (try_lock(file) == Locking::held_by_other || ::fstat(file.get(), &status) != 0 ||
          status.st_nlink == 0) {
        continue;
      }
      return Temporary(std::move(path), std::move(file));
    }
    return Error{Code::busy, "no temporary file could be made in " + own_dir};
  }
  Temporary(Temporary&& other) noexcept
      : path_(std::exchange(other.path_, {})), file_(std::move(other.file_)) {}
  Temporary& operator=(Temporary&&) = delete;
  ~Temporary() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }

  Status write(std::string_view bytes) { return write_all(file_, bytes, path_); }
  Status sync() {
    if (::fsync(file_.get()) != 0) return errno_error(errno, "fsync " + path_);
    return {};
  }
  // Gives it its name, which must not be taken when `keep_old`: then what is there stays.
  Status move_to(const std::string& target, bool keep_old) {
    LAZYVOL_TRY(sync());
    LAZYVOL_TRY(make_directories(parent_of(target)));
    if (const int failure = keep_old ? move_if_absent(target) : move(target); failure != 0) {
      return errno_error(failure, "rename to " + target);
    }
    return sync_directory(parent_of(target));
  }

 private:
  Temporary(std::string path, Fd file) : path_(std::move(path)), file_(std::move(file)) {}

  int move(const std::string& target) {
    if (::rename(path_.c_str(), target.c_str()) != 0) return errno;
    path_.clear();
    return 0;
  }
  // What is there already stays, and is as young as what would have come: remove_older() judges by
  // that. It may be taken away between two of these calls, so they are tried again.
  int move_if_absent(const std::string& target) {
    for (int tries = 0; tries < 100; ++tries) {
      if (::renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, target.c_str(), RENAME_NOREPLACE) == 0) {
        path_.clear();
        return 0;
      }
      if (errno == EINVAL || errno == ENOSYS) {  // NFS, for one: a second name, and the first goes
        if (::link(path_.c_str(), target.c_str()) == 0) return 0;
      }
      if (errno != EEXIST) return errno;
      if (::utimensat(AT_FDCWD, target.c_str(), nullptr, 0) == 0) return 0;
      if (errno != ENOENT) return errno == EACCES || errno == EPERM ? 0 : errno;
    }
    return EBUSY;
  }

  std::string path_;
  Fd file_;
};

class DirWriter final : public ObjectWriter {
 public:
  DirWriter(std::string root, Temporary file) : root_(std::move(root)), file_(std::move(file)) {}
  Status write(std::string_view bytes) override { return file_.write(bytes); }
  Status commit(const std::string& path) override {
    LAZYVOL_TRY(check_object_path(path));
    return file_.move_to(root_ + "/" + path, true);
  }

 private:
  const std::string root_;
  Temporary file_;
};

StoredObject describe(std::string path, const struct stat& status) {
  return {std::move(path), static_cast<std::uint64_t>(status.st_size),
          std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec};
}

bool means_absent(int failure) {
  return failure == ENOENT || failure == ENOTDIR;
}

class DirLock final : public StoreLock {
 public:
  explicit DirLock(Fd file) : file_(std::move(file)) {}

 private:
  const Fd file_;  // its lock goes with it
};

class DirStore final : public Store {
 public:
  explicit DirStore(std::string root)
      : root_(std::move(root)), own_(root_ + "/" + std::string(kOwnDirectory)) {}

  std::string display() const override { return root_; }

  Result<std::string> read(const std::string& path, std::uint64_t offset,
                           std::uint64_t limit) override {
    LAZYVOL_TRY(check_object_path(path));
    const std::string full = root_ + "/" + path;
    const Fd file(::open(full.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (file.get() < 0) {
      if (means_absent(errno)) return Error{Code::not_found, full + " is not there"};
      return errno_error(errno, "open " + full);
    }
    return read_some(file, offset, limit, full);
  }

  Result<std::optional<StoredObject>> stat(const std::string& path) override {
    LAZYVOL_TRY(check_object_path(path));
    struct stat status {};
    if (::stat((root_ + "/" + path).c_str(), &status) != 0) {
      if (means_absent(errno)) return std::optional<StoredObject>();
      return errno_error(errno, "stat " + root_ + "/" + path);
    }
    if (!S_ISREG(status.st_mode)) return std::optional<StoredObject>();
    return std::optional(describe(path, status));
  }

  Result<std::vector<StoredObject>> list(const std::string& prefix) override {
    const std::size_t slash = prefix.find_last_of('/');
    const std::string below = slash == std::string::npos ? "" : prefix.substr(0, slash);
    if (!below.empty()) LAZYVOL_TRY(check_object_path(below));
    std::vector<StoredObject> result;
    LAZYVOL_TRY(list_below(below, 0, result));
    std::erase_if(result, [&](const StoredObject& one) { return !one.path.starts_with(prefix); });
    std::sort(result.begin(), result.end(),
              [](const auto& a, const auto& b) { return a.path < b.path; });
    return result;
  }

  Result<std::unique_ptr<ObjectWriter>> create() override {
    LAZYVOL_TRY(make_directories(own_));
    LAZYVOL_TRY_ASSIGN(Temporary file, Temporary::create(own_));
    return std::unique_ptr<ObjectWriter>(std::make_unique<DirWriter>(root_, std::move(file)));
  }

  Status replace(const std::string& path, const std::optional<std::string>& expected,
                 std::string_view document) override {
    LAZYVOL_TRY(check_object_path(path));
    LAZYVOL_TRY(make_directories(own_));
    LAZYVOL_TRY_ASSIGN(const Fd lock, wait_for_lock(kLockPatience));
    // One byte more than is expected shows a longer document.
    auto present = read(path, 0, expected ? expected->size() + 1 : 1);
    const bool absent = !present.ok() && present.error().code == Code::not_found;
    if (!present.ok() && !absent) return std::move(present).error();
    if (expected ? (absent || *present != *expected) : !absent) {
      return Error{Code::busy,
                   root_ + "/" + path + " was changed by somebody else meanwhile: publish again"};
    }
    LAZYVOL_TRY_ASSIGN(Temporary fresh, Temporary::create(own_));
    LAZYVOL_TRY(fresh.write(document));
    return fresh.move_to(root_ + "/" + path, false);
  }

  Status remove(const std::string& path) override {
    LAZYVOL_TRY(check_object_path(path));
    const std::string full = root_ + "/" + path;
    if (::unlink(full.c_str()) != 0 && !means_absent(errno)) {
      return errno_error(errno, "remove " + full);
    }
    return {};
  }

  Result<bool> remove_older(const std::string& path, std::int64_t before_ns) override {
    LAZYVOL_TRY_ASSIGN(const auto object, stat(path));
    if (!object) return true;
    if (object->mtime_ns > before_ns) return false;
    // Looked at once more where no writer can make it younger: it is one of ours then, and a stray
    // if this process ends here.
    LAZYVOL_TRY(make_directories(own_));
    const std::string full = root_ + "/" + path;
    const std::string aside =
        own_ + "/" + std::string(kTemporary) + "old-" + path.substr(path.find_last_of('/') + 1);
    if (::rename(full.c_str(), aside.c_str()) != 0) {
      if (means_absent(errno)) return true;
      return errno_error(errno, "remove " + full);
    }
    struct stat status {};
    if (::stat(aside.c_str(), &status) == 0 && describe(path, status).mtime_ns > before_ns) {
      if (::rename(aside.c_str(), full.c_str()) != 0) return errno_error(errno, "rename " + aside);
      return false;
    }
    if (::unlink(aside.c_str()) != 0) return errno_error(errno, "remove " + aside);
    return true;
  }

  Result<std::unique_ptr<StoreLock>> lock() override {
    LAZYVOL_TRY(make_directories(own_));
    LAZYVOL_TRY_ASSIGN(Fd lock, wait_for_lock(kShortPatience));
    return std::unique_ptr<StoreLock>(std::make_unique<DirLock>(std::move(lock)));
  }

  // Removes what nobody writes any more. What cannot be removed does no harm.
  void remove_strays() const {
    std::error_code failure;
    fs::directory_iterator at(own_, failure);
    for (; !failure && at != fs::directory_iterator(); at.increment(failure)) {
      if (!at->path().filename().string().starts_with(kTemporary)) continue;
      const Fd file(::open(at->path().c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
      struct stat status {};
      if (file.get() < 0 || ::fstat(file.get(), &status) != 0) continue;
      const Locking locking = try_lock(file);
      if (locking == Locking::locked ||
          (locking == Locking::not_supported &&
           status.st_mtim.tv_sec + kStraySeconds < std::time(nullptr))) {
        ::unlink(at->path().c_str());
      }
    }
  }

 private:
  Result<Fd> wait_for_lock(std::chrono::milliseconds patience) const {
    const std::string path = own_ + "/lock";
    Fd lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    if (lock.get() < 0) return errno_error(errno, "open " + path);
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (true) {
      const Locking locking = try_lock(lock);
      if (locking == Locking::locked) return lock;
      if (locking == Locking::not_supported) return errno_error(errno, "lock " + path);
      if (std::chrono::steady_clock::now() > deadline) {
        return Error{Code::busy, path + " is held by another publisher"};
      }
      std::this_thread::sleep_for(kLockPoll);
    }
  }

  Status list_below(const std::string& directory, int depth, std::vector<StoredObject>& out) const {
    constexpr int kMaxDepth = 8;  // a volume has three levels
    if (depth > kMaxDepth) return {};
    const std::string full = directory.empty() ? root_ : root_ + "/" + directory;
    std::error_code failure;
    fs::directory_iterator at(full, failure);
    for (; !failure && at != fs::directory_iterator(); at.increment(failure)) {
      const std::string name = at->path().filename().string();
      if (name == kOwnDirectory) continue;
      std::string path = directory.empty() ? name : directory + "/" + name;
      struct stat status {};
      if (::stat(at->path().c_str(), &status) != 0) {
        if (means_absent(errno)) continue;  // it went meanwhile
        return errno_error(errno, "stat " + at->path().string());
      }
      if (S_ISDIR(status.st_mode)) LAZYVOL_TRY(list_below(path, depth + 1, out));
      if (S_ISREG(status.st_mode)) out.push_back(describe(std::move(path), status));
    }
    if (failure && !means_absent(failure.value())) return errno_error(failure.value(), full);
    return {};
  }

  const std::string root_, own_;
};

// What may lie where a volume comes to be: a volume, its beginnings, and what file systems put
// there.
bool may_lie_in_volume(const std::string& name) {
  return name == catalog::kHeadPath || name == "packs" || name == "revisions" || name == "tags" ||
         name == kOwnDirectory || name == "lost+found";
}

// A directory of other things is no place for a volume: most likely TREE and DEST were exchanged.
Status check_place(const std::string& root) {
  std::error_code failure;
  if (fs::exists(root + "/" + std::string(catalog::kHeadPath), failure)) return {};
  fs::directory_iterator at(root, failure);
  for (; !failure && at != fs::directory_iterator(); at.increment(failure)) {
    const std::string name = at->path().filename().string();
    if (may_lie_in_volume(name)) continue;
    return Error{Code::invalid_argument, root + " holds no volume but other things ('" + name +
                                             "'): name a new or an empty directory"};
  }
  if (failure) return errno_error(failure.value(), root);
  return {};
}

Result<std::string> root_of(const fs::path& path) {
  std::error_code failure;
  std::string result = fs::absolute(path, failure).lexically_normal().string();
  if (failure) return errno_error(failure.value(), path.string());
  while (result.size() > 1 && result.back() == '/') result.pop_back();
  return result;
}

}  // namespace

Result<std::unique_ptr<Store>> make_dir_store(const fs::path& path) {
  LAZYVOL_TRY_ASSIGN(std::string root, root_of(path));
  LAZYVOL_TRY(make_directories(root));
  LAZYVOL_TRY(check_place(root));
  auto store = std::make_unique<DirStore>(std::move(root));
  store->remove_strays();
  return std::unique_ptr<Store>(std::move(store));
}

Result<std::unique_ptr<Store>> open_dir_store(const fs::path& path) {
  LAZYVOL_TRY_ASSIGN(std::string root, root_of(path));
  struct stat status {};
  if (::stat(root.c_str(), &status) != 0) return errno_error(errno, root);
  if (!S_ISDIR(status.st_mode)) return errno_error(ENOTDIR, root);
  return std::unique_ptr<Store>(std::make_unique<DirStore>(std::move(root)));
}

}  // namespace lazyvol::publish
