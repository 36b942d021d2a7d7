#include "origin_model.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>

namespace lazyvol::testing {
namespace {

constexpr std::int64_t kFirstMtime = 1'000'000'000;  // seconds: long ago, so that all is settled

std::uint64_t word(std::uint64_t serial, std::uint64_t index) {  // splitmix64
  std::uint64_t z = serial * 0x9e3779b97f4a7c15ULL + index * 0xd1b54a32d192ed03ULL;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

bool inside(const std::string& path, const std::string& directory) {
  return path.size() > directory.size() && path.starts_with(directory) &&
         path[directory.size()] == '/';
}

}  // namespace

std::byte version_byte(std::uint64_t serial, std::uint64_t offset) {
  return static_cast<std::byte>(word(serial, offset / 8) >> (8 * (offset % 8)) & 0xff);
}

std::string version_bytes(std::uint64_t serial, std::uint64_t size) {
  std::string out(size, '\0');
  for (std::uint64_t at = 0; at < size; at += 8) {
    const std::uint64_t w = word(serial, at / 8);
    std::memcpy(out.data() + at, &w, std::min<std::uint64_t>(8, size - at));
  }
  return out;
}

std::optional<std::uint64_t> first_difference(std::uint64_t serial, std::uint64_t offset,
                                              std::span<const char> bytes) {
  std::size_t i = 0;
  while (i < bytes.size()) {
    const std::uint64_t at = offset + i;
    if (at % 8 == 0 && bytes.size() - i >= 8) {
      const std::uint64_t expected = word(serial, at / 8);
      if (std::memcmp(&expected, bytes.data() + i, 8) == 0) {
        i += 8;
        continue;
      }
    }
    if (static_cast<std::byte>(bytes[i]) != version_byte(serial, at)) return at;
    ++i;
  }
  return std::nullopt;
}

OriginModel::OriginModel(std::filesystem::path root, std::filesystem::path staging)
    : root_(std::move(root)), staging_(std::move(staging)) {
  std::filesystem::create_directories(root_);
  std::filesystem::create_directories(staging_);
}

const Version* OriginModel::by_mtime(std::int64_t mtime_ns) const {
  const auto it = by_mtime_.find(mtime_ns);
  return it == by_mtime_.end() ? nullptr : &versions_.at(it->second);
}

std::vector<std::string> OriginModel::names_in(const std::string& directory) const {
  std::vector<std::string> names;
  for (const auto& [path, node] : nodes_) {
    const auto slash = path.rfind('/');
    const std::string parent = slash == std::string::npos ? "" : path.substr(0, slash);
    if (parent == directory)
      names.push_back(path.substr(slash == std::string::npos ? 0 : slash + 1));
  }
  return names;
}

void OriginModel::end(std::uint64_t serial, std::int64_t now_ns) {
  if (const auto it = versions_.find(serial); it != versions_.end()) it->second.gone_ns = now_ns;
}

void OriginModel::put_file(const std::string& path, std::uint64_t size, std::int64_t now_ns,
                           bool permanent) {
  const std::uint64_t serial = next_serial_++;
  const std::int64_t seconds = kFirstMtime + static_cast<std::int64_t>(serial);
  const auto staged = staging_ / std::to_string(serial);
  std::ofstream(staged, std::ios::binary) << version_bytes(serial, size);
  const timespec times[2] = {{seconds, 0}, {seconds, 0}};
  if (utimensat(AT_FDCWD, staged.c_str(), times, 0) != 0) std::abort();
  std::filesystem::rename(staged, root_ / path);
  auto& node = nodes_[path];
  if (node.serial != 0) end(node.serial, now_ns);
  node.serial = serial;
  node.permanent = node.permanent || permanent;
  const std::int64_t mtime_ns = seconds * 1'000'000'000;
  versions_[serial] = {serial, size, mtime_ns, path, now_ns, std::nullopt};
  by_mtime_[mtime_ns] = serial;
}

void OriginModel::make_directory(const std::string& path, bool permanent) {
  std::filesystem::create_directory(root_ / path);
  nodes_[path] = {true, 0, permanent};
}

bool OriginModel::removable(const std::string& path) const {
  for (const auto& [at, node] : nodes_) {
    if (node.permanent && (at == path || inside(at, path))) return false;
  }
  return true;
}

void OriginModel::remove(const std::string& path, std::int64_t now_ns) {
  // Moved away first: a tree vanishes at once, as a reader of the origin sees it.
  std::filesystem::rename(root_ / path, staging_ / "removed");
  std::filesystem::remove_all(staging_ / "removed");
  std::erase_if(nodes_, [&](const auto& item) {
    if (item.first != path && !inside(item.first, path)) return false;
    if (item.second.serial != 0) end(item.second.serial, now_ns);
    return true;
  });
}

void OriginModel::rename(const std::string& from, const std::string& to, std::int64_t now_ns) {
  std::filesystem::rename(root_ / from, root_ / to);
  std::map<std::string, Node> moved;
  std::erase_if(nodes_, [&](const auto& item) {
    if (item.first != from && !inside(item.first, from)) return false;
    moved.emplace(to + item.first.substr(from.size()), item.second);
    return true;
  });
  if (const auto it = nodes_.find(to); it != nodes_.end() && it->second.serial != 0) {
    end(it->second.serial, now_ns);
  }
  for (auto& [path, node] : moved) {
    nodes_[path] = node;
    // The same bytes under another name: known by the same mtime, so nothing of it has ended.
    if (node.serial != 0) versions_.at(node.serial).path = path;
  }
}

}  // namespace lazyvol::testing
