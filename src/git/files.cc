#include "git/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "source/dir_root.h"

namespace lazyvol::git {
namespace {

using source::Fd;

Result<Fd> open_to_read(const std::filesystem::path& path) {
  Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (file.get() < 0) return errno_error(errno, "open " + path.string());
  return file;
}

}  // namespace

Result<std::string> read_file(const std::filesystem::path& path, std::size_t most) {
  LAZYVOL_TRY_ASSIGN(const Fd file, open_to_read(path));
  std::string out;
  for (;;) {
    constexpr std::size_t kPiece = 64 * 1024;
    const std::size_t have = out.size();
    out.resize(have + kPiece);
    const ssize_t got = ::read(file.get(), out.data() + have, kPiece);
    if (got < 0 && errno != EINTR) return errno_error(errno, "read " + path.string());
    out.resize(have + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (out.size() > most) return Error{Code::too_large, path.string() + " is too long"};
    if (got == 0) return out;
  }
}

Result<std::string> read_file_part(const std::filesystem::path& path, std::uint64_t offset,
                                   std::size_t length) {
  LAZYVOL_TRY_ASSIGN(const Fd file, open_to_read(path));
  std::string out(length, '\0');
  std::size_t have = 0;
  while (have < length) {
    const ssize_t got =
        ::pread(file.get(), out.data() + have, length - have, static_cast<off_t>(offset + have));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error(errno, "read " + path.string());
    if (got == 0) return Error{Code::corrupt, path.string() + " ends too early"};
    have += static_cast<std::size_t>(got);
  }
  return out;
}

Status replace_file(const std::filesystem::path& path, std::string_view bytes, mode_t mode) {
  const std::string fresh = path.string() + ".new";
  // Left by somebody who was killed; with O_EXCL so that the mode is ours.
  ::unlink(fresh.c_str());
  const Fd file(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (file.get() < 0) return errno_error(errno, "create " + fresh);
  while (!bytes.empty()) {
    const ssize_t wrote = ::write(file.get(), bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return errno_error(errno, "write " + fresh);
    bytes.remove_prefix(static_cast<std::size_t>(wrote));
  }
  if (::fsync(file.get()) != 0) return errno_error(errno, "fsync " + fresh);
  if (::rename(fresh.c_str(), path.c_str()) != 0) return errno_error(errno, "rename " + fresh);
  const Fd directory(::open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0 || ::fsync(directory.get()) != 0) {
    return errno_error(errno, "fsync " + path.parent_path().string());
  }
  return {};
}

Status make_private_directory(const std::filesystem::path& path) {
  if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return errno_error(errno, "mkdir " + path.string());
}

}  // namespace lazyvol::git
