// A GitOrigin over a real server, and its catalog read as a volume would.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "catalog/entry.h"
#include "catalog/head.h"
#include "git/git_origin.h"
#include "model/options.h"
#include "source/calls.h"
#include "support/git_server.h"
#include "support/sshd.h"
#include "support/temp_dir.h"

namespace lazyvol::git {

/// The catalog that an origin shows: entries by path.
struct ShownTree {
  catalog::Head head;
  std::map<std::string, catalog::Entry> entries;
};

/// Asks for the head and reads all pages behind it. Errors: the origin's.
Result<ShownTree> show(Source& origin, base::TimerQueue& timer);

/// The path of an entry's object in the origin; empty when it has none.
std::string object_path(const catalog::Entry& entry);

/// What a file reads as, whole.
std::string bytes_of(Source& origin, const catalog::Entry& entry);

/// A repository, one way to it, and room for mirrors.
class OriginWorld {
 public:
  enum class Way { http, http_version0, http_unfiltered, ssh, file, http_slow };
  static constexpr std::uint64_t kSlow = 4 << 20;  ///< bytes per second
  explicit OriginWorld(Way way);

  /// Opens it. Fails the test when that fails.
  std::shared_ptr<GitOrigin> open(model::MountOptions options = {});
  Result<std::shared_ptr<GitOrigin>> try_open(model::MountOptions options = {});
  std::string url() const;
  base::TimerQueue& timer() { return rig_.timer(); }
  testing::GitHttpServer* http() { return http_.get(); }
  /// Blocks and mirrors of all that was opened.
  std::filesystem::path mirrors() const { return temp_.path() / "git"; }

  testing::GitRepository repository;

 private:
  const Way way_;
  testing::TempDir temp_;
  source::Rig rig_;
  std::unique_ptr<testing::GitHttpServer> http_;
  std::unique_ptr<testing::Sshd> sshd_;
};

}  // namespace lazyvol::git
