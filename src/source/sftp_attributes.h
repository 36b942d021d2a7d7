// SFTP's attributes and statuses in lazyvol's terms.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lazyvol/entry.h"
#include "lazyvol/error.h"
#include "source/sftp_wire.h"

namespace lazyvol::source {

/// The type that the permissions tell; nullopt when they tell none, or a fifo, socket or device.
std::optional<NodeType> sftp_type(const SftpAttributes& attributes);

/// "t:<mtime s>-<size>", all that SFTP 3 tells of a file's version; empty when one is missing.
std::string sftp_validator(const SftpAttributes& attributes);
/// The size in a validator of that form; nullopt for others.
std::optional<std::uint64_t> size_in_sftp_validator(std::string_view validator);

/// The entry for `attributes`, whose type is `type`. Settled when mtime lies 3 s or more before
/// `local_now_ns` (this machine's clock: SFTP tells no time of the server): its whole seconds, and
/// a skew of two. A symlink's target is left empty. Pure; thread-safe.
RemoteEntry sftp_entry(std::string name, NodeType type, const SftpAttributes& attributes,
                       std::int64_t local_now_ns);

/// The Error for a status that is not ok; `what` names operation and thing. not_found,
/// access_denied, unsupported, unreachable; io_error for all that servers call a failure.
Error sftp_error(SftpStatusCode code, std::string_view what);

}  // namespace lazyvol::source
