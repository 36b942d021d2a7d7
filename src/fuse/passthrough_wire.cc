#include "fuse/passthrough_wire.h"

#include <linux/fuse.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

// This file knows the kernel's header, and so not libfuse's, which has the same names.

namespace lazyvol::fuse::wire {
namespace {

constexpr std::uint32_t kInitExt = 1U << 30;         // FUSE_INIT_EXT: flags2 counts
constexpr std::uint32_t kPassthrough2 = 1U << 5;     // FUSE_PASSTHROUGH, 1 << 37, in flags2
constexpr std::uint32_t kOpenPassthrough = 1U << 7;  // FOPEN_PASSTHROUGH
constexpr std::uint32_t kNoFlush = 1U << 5;          // FOPEN_NOFLUSH
// The mount counts as one layer itself; an overlay on top of it has the second that Linux allows.
constexpr std::uint32_t kStackDepth = 1;
constexpr std::size_t kStackDepthAt = 36;             // max_stack_depth follows flags2
constexpr std::size_t kFlagsAt = 12, kFlags2At = 32;  // of fuse_init_out

struct BackingMap {
  std::int32_t fd;
  std::uint32_t flags;
  std::uint64_t padding;
};
/// fuse_open_out as Linux 6.9 has it; before, its last word was padding.
struct OpenOut {
  std::uint64_t handle;
  std::uint32_t flags;
  std::int32_t backing_id;
};
constexpr unsigned long kBackingOpen = _IOW(229, 1, BackingMap);
constexpr unsigned long kBackingClose = _IOW(229, 2, std::uint32_t);

std::uint32_t word_at(std::span<const std::byte> bytes, std::size_t at) {
  std::uint32_t word = 0;
  std::memcpy(&word, bytes.data() + at, sizeof word);
  return word;
}

void put_word(std::span<std::byte> bytes, std::size_t at, std::uint32_t word) {
  std::memcpy(bytes.data() + at, &word, sizeof word);
}

}  // namespace

std::optional<Init> parse_init(std::span<const std::byte> request) {
  fuse_in_header header{};
  fuse_init_in init{};
  if (request.size() < sizeof header) return std::nullopt;
  std::memcpy(&header, request.data(), sizeof header);
  if (header.opcode != FUSE_INIT) return std::nullopt;
  const auto body = request.subspan(sizeof header);
  std::memcpy(&init, body.data(), std::min(body.size(), sizeof init));
  return Init{header.unique, (init.flags & kInitExt) != 0 && (init.flags2 & kPassthrough2) != 0};
}

std::uint64_t reply_to(std::span<const std::byte> bytes) {
  fuse_out_header header{};
  if (bytes.size() < sizeof header) return 0;
  std::memcpy(&header, bytes.data(), sizeof header);
  return header.unique;
}

bool accept_passthrough(std::span<std::byte> init_out) {
  if (init_out.size() < kStackDepthAt + sizeof(std::uint32_t)) return false;
  put_word(init_out, kFlagsAt, word_at(init_out, kFlagsAt) | kInitExt);
  put_word(init_out, kFlags2At, word_at(init_out, kFlags2At) | kPassthrough2);
  put_word(init_out, kStackDepthAt, kStackDepth);
  return true;
}

std::array<std::byte, 16> open_reply(std::uint64_t handle, std::int32_t id) {
  static_assert(sizeof(OpenOut) == sizeof(fuse_open_out));
  const OpenOut out{handle, kOpenPassthrough | kNoFlush, id};
  std::array<std::byte, sizeof out> bytes{};
  std::memcpy(bytes.data(), &out, sizeof out);
  return bytes;
}

int open_backing(int fuse_fd, int fd) {
  const BackingMap map{fd, 0, 0};
  const int id = ::ioctl(fuse_fd, kBackingOpen, &map);
  return id < 0 ? -errno : id;
}

void close_backing(int fuse_fd, int id) {
  const auto number = static_cast<std::uint32_t>(id);
  static_cast<void>(::ioctl(fuse_fd, kBackingClose, &number));
}

}  // namespace lazyvol::fuse::wire
