// Objects that are here, read through a `git cat-file` that stays.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "git/process.h"
#include "lazyvol/error.h"

namespace lazyvol::git {

/// The longest blob that is taken into memory whole.
inline constexpr std::uint64_t kMaxInMemory = 1 << 20;

/// What `git cat-file` says of an object: "ID TYPE SIZE", or "ID missing".
struct ObjectHeader {
  std::string id, type;
  std::uint64_t size = 0;
};
/// nullopt: missing. Errors: corrupt. Pure.
Result<std::optional<ObjectHeader>> parse_object_header(std::string_view line);

/// Calls block on the disk. After an error it is of no use. Thread rule: one thread at a time.
class CatFile {
 public:
  /// `command` runs `git cat-file --batch-command`. Errors: Process's.
  static Result<std::unique_ptr<CatFile>> start(const Command& command, std::stop_token stop);

  /// The sizes of blobs, in their order; nullopt for those that are not here. Errors: Process's,
  /// corrupt (also for what is no blob).
  Result<std::vector<std::optional<std::uint64_t>>> sizes(std::span<const std::string> ids);
  /// Gives the bytes of a blob, in pieces; an error that `take` returns ends it. Errors: as above;
  /// not_found.
  Status read(const std::string& id, const std::function<Status(std::string_view)>& take);

 private:
  explicit CatFile(std::unique_ptr<Process> process) : process_(std::move(process)) {}
  Result<std::optional<ObjectHeader>> header();

  std::unique_ptr<Process> process_;
};

}  // namespace lazyvol::git
