#include "cache/block_cache_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <vector>

namespace lazyvol::cache {

CacheFile::CacheFile(int fd, std::string name, const FileHooks& hooks)
    : fd_(fd), name_(std::move(name)), hooks_(hooks) {}

CacheFile::~CacheFile() {
  ::close(fd_);
}

Status CacheFile::check(const FaultHook& hook, std::string_view verb) const {
  if (!hook) return {};
  const std::string what = fmt::format("{} {}", verb, name_);
  const int errnum = hook(what);
  if (errnum > 0) return errno_error(errnum, what);
  return {};
}

Status CacheFile::read_at(std::uint64_t offset, std::span<std::byte> out) const {
  LAZYVOL_TRY(check(hooks_.read, "read"));
  while (!out.empty()) {
    const ssize_t got = ::pread(fd_, out.data(), out.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error(errno, "read " + name_);
    if (got == 0) return Error{Code::io_error, "read " + name_ + ": it is shorter than it was"};
    out = out.subspan(static_cast<std::size_t>(got));
    offset += static_cast<std::uint64_t>(got);
  }
  return {};
}

Status CacheFile::write_at(std::uint64_t offset, std::span<const std::byte> head,
                           std::span<const std::byte> bytes) {
  LAZYVOL_TRY(check(hooks_.write, "write"));
  while (!head.empty() || !bytes.empty()) {
    const std::array<iovec, 2> parts = {iovec{const_cast<std::byte*>(head.data()), head.size()},
                                        iovec{const_cast<std::byte*>(bytes.data()), bytes.size()}};
    const ssize_t put = ::pwritev(fd_, parts.data(), 2, static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return errno_error(errno, "write " + name_);
    if (put == 0) return errno_error(ENOSPC, "write " + name_);
    const auto done = static_cast<std::size_t>(put);
    const std::size_t of_head = std::min(done, head.size());
    head = head.subspan(of_head);
    bytes = bytes.subspan(done - of_head);
    offset += done;
  }
  return {};
}

void CacheFile::start_writeback(std::uint64_t offset, std::uint64_t length) noexcept {
  ::sync_file_range(fd_, static_cast<off_t>(offset), static_cast<off_t>(length),
                    SYNC_FILE_RANGE_WRITE);
}

Status CacheFile::sync() {
  LAZYVOL_TRY(check(hooks_.write, "sync"));
  if (::fdatasync(fd_) != 0) return errno_error(errno, "fdatasync " + name_);
  return {};
}

Status CacheFile::punch(std::uint64_t offset, std::uint64_t length) {
  LAZYVOL_TRY(check(hooks_.write, "punch"));
  if (::fallocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                  static_cast<off_t>(length)) != 0) {
    return errno_error(errno, "punch " + name_);
  }
  return {};
}

Result<std::uint64_t> CacheFile::size() const {
  struct stat status {};
  if (::fstat(fd_, &status) != 0) return errno_error(errno, "stat " + name_);
  return static_cast<std::uint64_t>(status.st_size);
}

int CacheFile::duplicate() const {
  return ::fcntl(fd_, F_DUPFD_CLOEXEC, 0);
}

// The mark is the sticky bit, which means nothing else for a file: it lives as long as the file.
bool CacheFile::was_lent() const {
  struct stat status {};
  return ::fstat(fd_, &status) != 0 || (status.st_mode & S_ISVTX) != 0;
}

Status CacheFile::mark_lent() {
  if (::fchmod(fd_, 0600 | S_ISVTX) != 0) return errno_error(errno, "chmod " + name_);
  return {};
}

CacheFiles::CacheFiles(std::filesystem::path dir, FileHooks hooks, std::size_t max_open)
    : dir_(std::move(dir)), hooks_(std::move(hooks)), max_open_(max_open) {}

std::string CacheFiles::name(FileId id) const {
  if (id.kind == FileId::Kind::slab) return fmt::format("slabs/{}", id.number);
  return fmt::format("objects/{:02x}/{:016x}", id.number & 0xff, id.number);
}

Result<std::shared_ptr<CacheFile>> CacheFiles::open(FileId id) {
  {
    auto open = open_.lock();
    const auto found = open->by_id.find(id);
    if (found != open->by_id.end()) {
      found->second->second->touch();
      return found->second->second;
    }
  }
  return open_as(id, false);
}

Result<std::shared_ptr<CacheFile>> CacheFiles::create(FileId id) {
  forget(id);
  return open_as(id, true);
}

Result<std::shared_ptr<CacheFile>> CacheFiles::open_as(FileId id, bool create) {
  const std::string label = name(id);
  const std::filesystem::path place = dir_ / label;
  if (create && hooks_.write) {
    const std::string what = "create " + label;
    const int errnum = hooks_.write(what);
    if (errnum > 0) return errno_error(errnum, what);
  }
  const int flags = O_CLOEXEC | (create ? O_RDWR | O_CREAT | O_TRUNC : O_RDWR);
  int fd = ::open(place.c_str(), flags, 0600);
  if (fd < 0 && errno == ENOENT && create) {
    std::error_code failure;
    std::filesystem::create_directories(place.parent_path(), failure);
    fd = ::open(place.c_str(), flags, 0600);
  }
  if (fd < 0 && errno == EROFS && !create) fd = ::open(place.c_str(), O_CLOEXEC | O_RDONLY);
  if (fd < 0) return errno_error(errno, "open " + place.string());
  return keep(id, std::make_shared<CacheFile>(fd, label, hooks_));
}

std::shared_ptr<CacheFile> CacheFiles::keep(FileId id, std::shared_ptr<CacheFile> file) {
  std::vector<std::shared_ptr<CacheFile>> closing;  // closed without the lock
  auto open = open_.lock();
  const auto found = open->by_id.find(id);
  if (found != open->by_id.end()) return found->second->second;  // another thread was first
  open->ring.emplace_back(id, file);
  open->by_id.emplace(id, std::prev(open->ring.end()));
  while (open->ring.size() > max_open_) {
    auto& oldest = open->ring.front();
    if (oldest.second->used_.exchange(false, std::memory_order_relaxed)) {
      open->ring.splice(open->ring.end(), open->ring, open->ring.begin());
      continue;
    }
    closing.push_back(std::move(oldest.second));
    open->by_id.erase(oldest.first);
    open->ring.pop_front();
  }
  open.unlock();
  return file;
}

void CacheFiles::forget(FileId id) {
  std::shared_ptr<CacheFile> closing;
  auto open = open_.lock();
  const auto found = open->by_id.find(id);
  if (found == open->by_id.end()) return;
  closing = std::move(found->second->second);
  open->ring.erase(found->second);
  open->by_id.erase(found);
  open.unlock();
}

Status CacheFiles::remove(FileId id) {
  forget(id);
  if (::unlink(path(id).c_str()) != 0 && errno != ENOENT) {
    return errno_error(errno, "remove " + path(id).string());
  }
  return {};
}

Status CacheFiles::sync_folder(FileId id) {
  const auto folder = path(id).parent_path();
  // The folder itself may be new too: its own name is durable only once its parent is.
  for (const auto& each : {folder, folder.parent_path()}) {
    const int fd = ::open(each.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return errno_error(errno, "open " + each.string());
    const int failed = ::fsync(fd);
    const int errnum = errno;
    ::close(fd);
    // Some file systems cannot sync a folder; they order names themselves or lose them, and a lost
    // name is a miss.
    if (failed != 0 && errnum != EINVAL) return errno_error(errnum, "fsync " + each.string());
  }
  return {};
}

std::size_t CacheFiles::open_count() const {
  return open_.lock()->ring.size();
}

}  // namespace lazyvol::cache
