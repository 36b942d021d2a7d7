// The credential helpers of the user who runs the daemon (gitcredentials(7)).
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "git/access.h"
#include "net/http_engine.h"

namespace lazyvol::git {

/// `identity` with the username and password that a helper has for `url`; nullopt when none has.
/// Nobody is asked on a terminal. Blocks on a child process. Thread-safe.
std::optional<net::HttpIdentity> ask_credential_helper(Access& access,
                                                       const std::filesystem::path& git_dir,
                                                       const std::string& url,
                                                       const net::HttpIdentity& identity,
                                                       const Patience& patience);

}  // namespace lazyvol::git
