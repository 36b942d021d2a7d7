#include "git/credential_helper.h"

#include <sstream>
#include <utility>

namespace lazyvol::git {

std::optional<net::HttpIdentity> ask_credential_helper(Access& access,
                                                       const std::filesystem::path& git_dir,
                                                       const std::string& url,
                                                       const net::HttpIdentity& identity,
                                                       const Patience& patience) {
  constexpr std::size_t kMost = 64 << 10;
  if (url.find('\n') != std::string::npos) return std::nullopt;
  const auto command = access.command(git_dir, {"credential", "fill"});
  if (!command.ok()) return std::nullopt;
  const auto finished = run(*command, "url=" + url + "\n\n", patience, kMost);
  if (!finished.ok() || finished->status != 0) return std::nullopt;
  net::HttpIdentity found = identity;
  std::istringstream lines(finished->output);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("username=")) found.username = line.substr(line.find('=') + 1);
    if (line.starts_with("password=")) found.password = line.substr(line.find('=') + 1);
  }
  if (found.username.empty()) return std::nullopt;
  return found;
}

}  // namespace lazyvol::git
