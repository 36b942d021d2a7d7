// The words of the FUSE protocol that libfuse before 3.17 does not know, for passthrough.
//
// Source: include/uapi/linux/fuse.h of Linux 6.9: FUSE_PASSTHROUGH, max_stack_depth of
// fuse_init_out, FOPEN_PASSTHROUGH and backing_id of fuse_open_out, FUSE_DEV_IOC_BACKING_OPEN.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace lazyvol::fuse::wire {

/// What a request is, as far as it matters here.
struct Init {
  std::uint64_t unique = 0;         ///< the answer has the same
  bool offers_passthrough = false;  ///< the kernel can
};
/// nullopt for every other request, and for one that is cut short.
std::optional<Init> parse_init(std::span<const std::byte> request);

/// The number of the request that `reply` answers; 0 for a notification or what is cut short.
std::uint64_t reply_to(std::span<const std::byte> header);

/// Changes the answer to INIT so that it takes passthrough, with files that lie on no stacked file
/// system. False when it is too short for that, or an error.
bool accept_passthrough(std::span<std::byte> init_out);

/// An answer to OPEN that lets the kernel read the backing file `id` for this handle.
std::array<std::byte, 16> open_reply(std::uint64_t handle, std::int32_t id);

/// Gives the kernel's connection `fuse_fd` the open file `fd`. Answers with its backing id (> 0),
/// or with -errno.
int open_backing(int fuse_fd, int fd);
/// Who has the file open keeps it.
void close_backing(int fuse_fd, int id);

}  // namespace lazyvol::fuse::wire
