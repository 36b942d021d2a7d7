#include "net/secret_file.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace lazyvol::net {
namespace {

struct OpenFile {
  int fd = -1;
  ~OpenFile() {
    if (fd >= 0) ::close(fd);
  }
};

FileStamp stamp_of(const struct stat& st) {
  const auto ns = [](const timespec& at) {
    return static_cast<std::int64_t>(at.tv_sec) * 1'000'000'000 + at.tv_nsec;
  };
  return {ns(st.st_mtim), ns(st.st_ctim), static_cast<std::uint64_t>(st.st_size), st.st_ino};
}

Status check(const struct stat& st, const std::string& path) {
  const auto refuse = [&](Code code, std::string_view why) {
    return Error{code, fmt::format("{}: {}", path, why)};
  };
  if (!S_ISREG(st.st_mode)) return refuse(Code::invalid_argument, "not a regular file");
  if (st.st_uid != ::geteuid() && st.st_uid != 0) {
    return refuse(Code::access_denied, "a file of secrets must not belong to another user");
  }
  if ((st.st_mode & 077) != 0) {
    return refuse(
        Code::access_denied,
        fmt::format(
            "a file of secrets must be for its owner alone, and its mode is {:04o}: make it 0600",
            static_cast<unsigned>(st.st_mode & 07777)));
  }
  if (static_cast<std::uint64_t>(st.st_size) > kMaxSecretFile) {
    return refuse(Code::too_large, fmt::format("longer than {} KiB", kMaxSecretFile / 1024));
  }
  return {};
}

}  // namespace

Result<SecretFile> read_secret_file(const std::string& path) {
  // O_NONBLOCK: opening a FIFO must not wait for its other end.
  const OpenFile file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)};
  if (file.fd < 0) return errno_error(errno, path);
  struct stat st {};
  if (::fstat(file.fd, &st) != 0) return errno_error(errno, path);
  LAZYVOL_TRY(check(st, path));

  SecretFile out{{}, stamp_of(st)};
  std::array<char, 4096> buffer;
  for (;;) {
    const ssize_t got = ::read(file.fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error(errno, path);
    if (got == 0) return out;
    out.bytes.append(buffer.data(), static_cast<std::size_t>(got));
    if (out.bytes.size() > kMaxSecretFile) {
      return Error{Code::too_large,
                   fmt::format("{}: longer than {} KiB", path, kMaxSecretFile / 1024)};
    }
  }
}

Result<FileStamp> stamp_of(const std::string& path) {
  struct stat st {};
  if (::stat(path.c_str(), &st) != 0) return errno_error(errno, path);
  return stamp_of(st);
}

}  // namespace lazyvol::net
