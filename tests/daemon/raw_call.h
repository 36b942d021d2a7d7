// A client that says exactly the bytes it is given, for what a well-behaved one never sends.
#pragma once

#include <filesystem>
#include <string>

namespace lazyvol::daemon {

/// Connects to the unix socket `path`; -1 on failure.
int connect_to(const std::filesystem::path& path);

/// Sends `bytes`, closes the sending side, answers with everything that came back.
std::string raw_call(const std::filesystem::path& path, const std::string& bytes);

/// A POST with that body, HTTP/1.1 with "Connection: close".
std::string post_text(const std::string& url, const std::string& body);

}  // namespace lazyvol::daemon
