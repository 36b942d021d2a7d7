#include "volume/node_view.h"

#include <algorithm>

#include "volume/merge.h"

namespace lazyvol::volume {
namespace {

constexpr std::uint32_t kDefaultFileMode = 0644;
constexpr std::uint32_t kDefaultDirMode = 0755;
constexpr std::uint32_t kSymlinkMode = 0777;
constexpr std::uint32_t kPermissionBits = 07777;
constexpr std::chrono::milliseconds kShortTtl{1'000};
constexpr std::int64_t kNsPerMs = 1'000'000;

}  // namespace

std::chrono::milliseconds time_left(std::int64_t since_wall_ns, std::int64_t now_wall_ns,
                                    std::chrono::milliseconds ttl) {
  if (since_wall_ns <= 0 || now_wall_ns < since_wall_ns) return std::chrono::milliseconds{0};
  const std::chrono::milliseconds age{(now_wall_ns - since_wall_ns) / kNsPerMs};
  return age >= ttl ? std::chrono::milliseconds{0} : ttl - age;
}

bool is_exact(const cache::StoredEntry& entry) {
  switch (entry.remote.type) {
    case NodeType::file:
      return entry.remote.size.has_value() && !entry.remote.validator.empty();
    case NodeType::symlink:
      return !entry.remote.symlink_target.empty();
    case NodeType::directory:
      return true;
  }
  return false;
}

Knowledge knowledge_of(const cache::StoredEntry& entry, std::int64_t now_wall_ns,
                       std::chrono::milliseconds ttl) {
  const bool exact = is_exact(entry);
  // A listed directory needs no question; one that its listing leaves out may vanish unseen.
  if (entry.remote.type == NodeType::directory && entry.remote.listed) return Knowledge::known;
  if (entry.stat_wall_ns == 0) return exact ? Knowledge::known : Knowledge::ask;
  if (entry.stat_wall_ns == kStatInDoubt) return Knowledge::ask;
  const bool recent = time_left(entry.stat_wall_ns, now_wall_ns, ttl).count() > 0;
  if (!exact) return recent ? Knowledge::missing : Knowledge::ask;
  const bool row_vouches = !entry.remote.token.empty() && entry.remote.settled;
  return recent || row_vouches ? Knowledge::known : Knowledge::ask;
}

NodeView::NodeView(const model::MountOptions& options, std::uint32_t default_uid,
                   std::uint32_t default_gid)
    : ttl_(options.metadata_ttl),
      uid_(options.uid),
      gid_(options.gid),
      file_mode_(options.file_mode),
      dir_mode_(options.dir_mode),
      default_uid_(default_uid),
      default_gid_(default_gid) {}

std::chrono::milliseconds NodeView::short_ttl() const {
  return std::min(ttl_, kShortTtl);
}

Attributes NodeView::attributes(const cache::StoredEntry& entry) const {
  const RemoteEntry& remote = entry.remote;
  Attributes out;
  out.id = entry.id;
  out.type = remote.type;
  out.uid = uid_.value_or(remote.uid.value_or(default_uid_));
  out.gid = gid_.value_or(remote.gid.value_or(default_gid_));
  out.mtime_ns = remote.mtime_ns.value_or(0);
  switch (remote.type) {
    case NodeType::file:
      out.mode = file_mode_.value_or(remote.mode.value_or(kDefaultFileMode));
      out.size = remote.size.value_or(0);
      break;
    case NodeType::directory:
      out.mode = dir_mode_.value_or(remote.mode.value_or(kDefaultDirMode));
      break;
    case NodeType::symlink:
      out.mode = kSymlinkMode;
      out.size = remote.symlink_target.size();
      break;
  }
  out.mode &= kPermissionBits;
  return out;
}

Node NodeView::node(const cache::StoredEntry& entry, std::int64_t now_wall_ns,
                    std::chrono::milliseconds listing_left) const {
  Node out{attributes(entry), listing_left, listing_left};
  const bool row_vouches = !entry.remote.token.empty() && entry.remote.settled;
  if (entry.stat_wall_ns > 0 && !row_vouches) {
    const auto stat_left = time_left(entry.stat_wall_ns, now_wall_ns, ttl_);
    out.entry_ttl = std::min(out.entry_ttl, stat_left);
    out.attribute_ttl = out.entry_ttl;
  }
  if (!entry.remote.settled) {
    out.entry_ttl = std::min(out.entry_ttl, short_ttl());
    out.attribute_ttl = out.entry_ttl;
  }
  return out;
}

}  // namespace lazyvol::volume
