// The format of ~/.aws/config and ~/.aws/credentials.
//
// Source: "Format of the config file" of the AWS SDKs and Tools Reference Guide
// (https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html). Pure; the bytes are
// untrusted.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "lazyvol/error.h"

namespace lazyvol::net {

inline constexpr std::size_t kMaxIniBytes = 1024 * 1024;

/// Section (as it stands between the brackets, spaces made single) → key in lower case → value.
using IniFile = std::map<std::string, std::map<std::string, std::string>>;

/// Later values win. "#" and ";" begin a comment at the start of a line and after white space.
/// Lines that begin with white space belong to the value before them (nested settings) and are left
/// out. Errors: invalid_argument with the line's number and nothing of its text; too_large.
Result<IniFile> parse_ini(std::string_view text);

}  // namespace lazyvol::net
