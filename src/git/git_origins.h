// The git origins of a process: mounts of one repository share one.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "base/locked.h"
#include "git/git_origin.h"
#include "lazyvol/error.h"
#include "source/registry.h"

namespace lazyvol::git {

/// Thread-safe.
class GitOrigins {
 public:
  /// `directory` is made when it is needed; what is in `environment` outlives all origins.
  GitOrigins(std::filesystem::path directory, source::SourceEnvironment environment)
      : directory_(std::move(directory)), environment_(environment) {}

  /// The one that is there, or a new one. Waits for one of the same mirror that is being opened or
  /// ended. Errors: GitOrigin::open's.
  Result<std::shared_ptr<GitOrigin>> open(const model::SourceUrl& url,
                                          const model::MountOptions& options);

 private:
  struct Slot {
    struct State {
      bool taken = false;  ///< an origin is being opened, used or ended
      std::weak_ptr<GitOrigin> origin;
    };
    base::Locked<State> state;
    std::condition_variable changed;
    void release();
  };

  const std::filesystem::path directory_;
  const source::SourceEnvironment environment_;
  base::Locked<std::map<std::string, std::shared_ptr<Slot>>> slots_;  // by name of the mirror
};

}  // namespace lazyvol::git
