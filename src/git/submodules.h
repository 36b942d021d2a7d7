// Where the submodules of a commit are: .gitmodules and the URLs in it (gitmodules(5)).
//
// Thread rule: pure functions.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "lazyvol/error.h"

namespace lazyvol::git {

/// Submodules within submodules that are shown; deeper ones are empty directories.
inline constexpr unsigned kMaxSubmoduleDepth = 5;
/// Of one commit, all depths together, and the repositories that they come from.
inline constexpr std::size_t kMaxSubmodules = 2000, kMaxRemotes = 1000;
/// A longer .gitmodules is refused.
inline constexpr std::size_t kMaxGitmodules = 1 << 20;

/// URLs by path, as .gitmodules has them, from the output of
/// `git config -z --get-regexp ^submodule\..*\.(path|url)$`. What has not both is left out.
std::map<std::string, std::string> parse_gitmodules(std::string_view output);

/// The URL of a submodule whose superproject is at `parent`, as git takes it: relative ones ("./",
/// "../") as git-submodule(1) resolves them, user@host:path as it is. Errors: invalid_argument for
/// another transport than https, http, ssh (and file, below one of this machine), and for a URL
/// that SOURCE could not have.
Result<std::string> submodule_url(const std::string& parent, const std::string& url);

}  // namespace lazyvol::git
