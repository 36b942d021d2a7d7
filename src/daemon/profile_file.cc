#include "daemon/profile_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <iterator>

namespace lazyvol::daemon {

Result<model::Profile> read_profile(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return errno_error(errno, path);
  if (!S_ISREG(status.st_mode)) return Error{Code::invalid_argument, path + ": not a file"};
  if (static_cast<std::uint64_t>(status.st_size) > model::kMaxProfileBytes) {
    return Error{Code::too_large, path + ": longer than 64 MiB"};
  }
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file.is_open() || file.bad()) return errno_error(errno != 0 ? errno : EIO, path);
  auto profile = model::parse_profile(text);
  if (!profile.ok()) return profile.error().in(path);
  return profile;
}

Status write_profile(const std::string& path, const model::Profile& profile) {
  const std::string text = model::format_profile(profile);
  const std::string draft = fmt::format("{}.{}", path, ::getpid());
  errno = 0;
  std::ofstream file(draft, std::ios::binary | std::ios::trunc);
  file.write(text.data(), static_cast<std::streamsize>(text.size()));
  file.close();
  if (file.fail() || std::rename(draft.c_str(), path.c_str()) != 0) {
    const int why = errno != 0 ? errno : EIO;
    ::unlink(draft.c_str());
    return errno_error(why, path);
  }
  return {};
}

}  // namespace lazyvol::daemon
