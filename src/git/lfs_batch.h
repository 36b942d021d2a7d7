// The messages of the LFS Batch API: what is asked for, and where it can be had.
//
// Source: git-lfs, docs/api/batch.md, docs/api/server-discovery.md, docs/api/authentication.md;
// only downloads by the transfer "basic". Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "git/lfs_pointer.h"
#include "lazyvol/error.h"

namespace lazyvol::git {

/// The most objects of one request, as git-lfs has it.
inline constexpr std::size_t kLfsBatch = 100;
/// A longer answer is refused; of an action: header fields, and bytes of one or of the URL.
inline constexpr std::size_t kMaxLfsAnswer = 4 << 20, kMaxLfsHeaders = 32, kMaxLfsField = 16 << 10;

/// Where an object, or the API, can be had for a while.
struct LfsAction {
  std::string url;                                           ///< absolute, http or https
  std::vector<std::pair<std::string, std::string>> headers;  ///< secrets: for this URL only
  bool authenticated = false;                                ///< it needs no other login
  std::optional<std::int64_t> valid_s;  ///< seconds from the answer on, if it says so
};

/// What the server says of each object that it says anything of.
using LfsAnswers = std::map<std::string, Result<LfsAction>, std::less<>>;

struct LfsAnswerContext {
  bool tls = false;        ///< the API was asked over https: what it leads to must be, too
  std::int64_t now_s = 0;  ///< Unix time
};

/// The body of POST …/objects/batch.
std::string lfs_batch_request(std::span<const LfsPointer> objects);
/// Errors: io_error for what is no answer; unsupported for another transfer or hash. An object of
/// which nothing usable is said has an error of its own.
Result<LfsAnswers> parse_lfs_batch(std::string_view text, const LfsAnswerContext& context);

/// What `git-lfs-authenticate` prints. Without a URL (empty then) it gives headers alone.
Result<LfsAction> parse_lfs_authentication(std::string_view text, const LfsAnswerContext& context);

/// The "message" of an error's page, printable; empty when there is none.
std::string lfs_message(std::string_view page);

/// An error that another try does not mend: readers have it at once.
Error hopeless(std::string message);

}  // namespace lazyvol::git
