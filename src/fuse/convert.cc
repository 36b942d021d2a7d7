#include "fuse/convert.h"

#include <sys/stat.h>

#include <algorithm>

namespace lazyvol::fuse {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;
constexpr blksize_t kPreferredIo = 128 * 1024;

timespec to_timespec(std::int64_t ns) {
  std::int64_t seconds = ns / kNsPerSecond;
  std::int64_t rest = ns % kNsPerSecond;
  if (rest < 0) {
    rest += kNsPerSecond;
    --seconds;
  }
  return timespec{seconds, rest};
}

}  // namespace

mode_t to_format(NodeType type) {
  switch (type) {
    case NodeType::file:
      return S_IFREG;
    case NodeType::directory:
      return S_IFDIR;
    case NodeType::symlink:
      return S_IFLNK;
  }
  return S_IFREG;
}

struct stat to_stat(const Attributes& attributes) {
  struct stat out {};
  out.st_ino = attributes.id;
  out.st_mode = to_format(attributes.type) | (attributes.mode & 07777);
  out.st_nlink = attributes.nlink;
  out.st_uid = attributes.uid;
  out.st_gid = attributes.gid;
  out.st_size = static_cast<off_t>(attributes.size);
  out.st_blocks = static_cast<blkcnt_t>((attributes.size + 511) / 512);
  out.st_blksize = kPreferredIo;
  out.st_mtim = to_timespec(attributes.mtime_ns);
  out.st_ctim = out.st_mtim;
  out.st_atim = out.st_mtim;
  return out;
}

double to_seconds(std::chrono::milliseconds duration) {
  constexpr std::chrono::milliseconds year = std::chrono::hours(24 * 365);
  return static_cast<double>(std::clamp(duration, std::chrono::milliseconds(0), year).count()) /
         1e3;
}

fuse_entry_param to_entry(const Node& node) {
  fuse_entry_param entry{};
  entry.ino = node.attributes.id;
  entry.generation = 0;
  entry.attr = to_stat(node.attributes);
  entry.attr_timeout = to_seconds(node.attribute_ttl);
  entry.entry_timeout = to_seconds(node.entry_ttl);
  return entry;
}

}  // namespace lazyvol::fuse
