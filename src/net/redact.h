// URLs as they may stand in logs and error messages.
#pragma once

#include <string>
#include <string_view>

namespace lazyvol::net {

/// `url` without user information and fragment, its query replaced by "?…" (signatures and tokens
/// live there), control characters replaced by '?', cut to 512 bytes. Never fails; pure.
std::string redact_url(std::string_view url);

}  // namespace lazyvol::net
