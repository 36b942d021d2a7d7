// Git repositories for tests: one to commit to, and a real server that shows it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "support/servers.h"
#include "support/temp_dir.h"

namespace lazyvol::testing {

/// A work tree and the bare repository that it is pushed to, which servers show. The user's own
/// settings of git are out of the way in all of this process while one exists.
class GitRepository {
 public:
  GitRepository();
  const std::filesystem::path& work() const { return work_; }
  /// The directory that `bare` lies in, as "repo.git": a server's root.
  const std::filesystem::path& root() const { return root_; }
  std::filesystem::path bare() const { return root_ / "repo.git"; }

  /// Writes a file of the work tree.
  void put(const std::string& path, std::string_view bytes, bool program = false) const;
  /// Commits all that the work tree has on branch main and pushes it, by force. The commit's id.
  std::string commit(const std::string& message = "a change", std::int64_t date_s = 1'700'000'000);
  /// Runs git in the work tree; its output, without the last newline. Ends the test program when
  /// git fails.
  std::string git(const std::vector<std::string>& arguments) const;
  /// A setting of the bare repository.
  void configure(const std::string& name, const std::string& value) const;
  void allow_filter(bool allowed) const;

 private:
  TempDir temp_;
  const std::filesystem::path work_, root_;
};

struct GitHttpOptions {
  bool version2 = true;            ///< else the server speaks the protocol of old times only
  std::string user{}, password{};  ///< basic auth when set
  std::string bearer_token{};      ///< 401 without it, when set
  bool tls = false;
  std::uint64_t bytes_per_second = 0;  ///< of each answer; 0: as fast as can be
  std::filesystem::path lfs{};  ///< LfsStore::directory(): the API is at …/repo.git/info/lfs
};

/// nginx, fcgiwrap and git-http-backend over the repositories below `root`.
class GitHttpServer {
 public:
  explicit GitHttpServer(const std::filesystem::path& root, GitHttpOptions options = {});
  ~GitHttpServer();
  /// "http://127.0.0.1:PORT/git/repo.git"
  std::string url() const;
  Nginx& nginx();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lazyvol::testing
