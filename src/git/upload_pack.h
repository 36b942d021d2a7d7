// A conversation with git-upload-pack in protocol version 2, over http(s), ssh or a pipe alike.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "git/access.h"
#include "git/object_info.h"
#include "git/process.h"
#include "lazyvol/error.h"

namespace lazyvol::git {

/// Connected for as long as it lives. Calls block. Thread rule: one thread.
class UploadPack {
 public:
  /// Connects to `url`; `git_dir` is any repository of ours. Errors: git_error()'s, Process's,
  /// corrupt.
  static Result<std::unique_ptr<UploadPack>> connect(Access& access,
                                                     const std::filesystem::path& git_dir,
                                                     const std::string& url,
                                                     const Patience& patience);
  /// An old server has none of version 2 (Capabilities::version2).
  const Capabilities& capabilities() const { return capabilities_; }

  /// The sizes of those of `ids` that the server has, kObjectInfoBatch at a time. Errors: as above;
  /// unsupported when the server does not tell.
  Result<Sizes> sizes(std::span<const std::string> ids);

 private:
  explicit UploadPack(std::unique_ptr<Process> process, bool stateless)
      : process_(std::move(process)), stateless_(stateless) {}
  Status begin(bool needs_connect);
  Result<Pkt> receive();
  Error failed(Error error);

  std::unique_ptr<Process> process_;
  const bool stateless_;  ///< answers end with a mark of the remote helper's
  Capabilities capabilities_;
};

}  // namespace lazyvol::git
