// The option open=.
#pragma once

#include <cstdint>

namespace lazyvol::fuse {

/// Who serves open(2), and the reads of what is wholly cached.
enum class OpenBy : std::uint8_t {
  passthrough,  ///< we open; the kernel reads wholly cached files by itself, where it can
  daemon,       ///< we open and read
  kernel,       ///< the kernel opens without asking; we read
};

}  // namespace lazyvol::fuse
