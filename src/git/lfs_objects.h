// The bytes of LFS objects, wherever their remotes keep them.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "git/lfs_actions.h"
#include "git/object_name.h"
#include "lazyvol/source.h"
#include "source/forwarding_transfer.h"
#include "source/lane.h"
#include "source/registry.h"

namespace lazyvol::git {

/// Thread-safe. Outlives what it reads.
class LfsObjects {
 public:
  /// `lane` is for reading files of this machine; its workers outlive this.
  LfsObjects(LfsActions::Settings settings, source::SourceEnvironment environment,
             base::Workers& workers, std::shared_ptr<source::Lane> lane);

  LfsActions& actions() { return actions_; }
  /// Part of the object that the catalog calls `name`; `request.path` is not looked at. Errors:
  /// those of LfsActions and LfsSink, and Source::read's.
  void read(const std::string& name, const LfsPlace& place, ReadRequest request,
            std::shared_ptr<ReadSink> sink, const RequestContext& ctx,
            const std::shared_ptr<source::ForwardingTransfer>& transfer);
  void stop() { actions_.stop(); }

 private:
  struct Job;
  void read_http(const std::shared_ptr<Job>& job, bool again);
  void read_file(const std::shared_ptr<Job>& job, const std::string& repository);

  const source::SourceEnvironment environment_;
  base::Workers& workers_;
  const std::shared_ptr<source::Lane> lane_;
  LfsActions actions_;
};

}  // namespace lazyvol::git
