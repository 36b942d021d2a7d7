// A directory tree at the origin, and all that ever stood in it: the model that the volume is
// compared with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <vector>

namespace lazyvol::testing {

/// One version of a file: its bytes follow from the serial number.
struct Version {
  std::uint64_t serial = 0;
  std::uint64_t size = 0;
  std::int64_t mtime_ns = 0;  ///< unique, so that a version is known by it
  std::string path;           ///< where it stood
  std::int64_t born_ns = 0;   ///< fake wall clock
  std::optional<std::int64_t> gone_ns;
};

/// The byte at `offset` of version `serial`.
std::byte version_byte(std::uint64_t serial, std::uint64_t offset);
std::string version_bytes(std::uint64_t serial, std::uint64_t size);
/// The first offset at which `bytes` (read at `offset`) differ from the version, if any.
std::optional<std::uint64_t> first_difference(std::uint64_t serial, std::uint64_t offset,
                                              std::span<const char> bytes);

/// Changes a real directory, and remembers. Not thread-safe.
class OriginModel {
 public:
  /// `staging` is on the same file system as `root`: files come into being by rename.
  OriginModel(std::filesystem::path root, std::filesystem::path staging);

  struct Node {
    bool directory = false;
    std::uint64_t serial = 0;  ///< of the version, for a file
    bool permanent = false;    ///< may be replaced, never removed or renamed
  };
  /// By path; the root is not in it.
  const std::map<std::string, Node>& nodes() const { return nodes_; }
  const Version& version(std::uint64_t serial) const { return versions_.at(serial); }
  /// The version with that modification time, or nullptr.
  const Version* by_mtime(std::int64_t mtime_ns) const;
  std::vector<std::string> names_in(const std::string& directory) const;

  void put_file(const std::string& path, std::uint64_t size, std::int64_t now_ns,
                bool permanent = false);
  void make_directory(const std::string& path, bool permanent = false);
  /// Removes a file or a directory with all below it.
  void remove(const std::string& path, std::int64_t now_ns);
  void rename(const std::string& from, const std::string& to, std::int64_t now_ns);
  /// True when nothing permanent is `path` or below it.
  bool removable(const std::string& path) const;

 private:
  void end(std::uint64_t serial, std::int64_t now_ns);

  const std::filesystem::path root_, staging_;
  std::map<std::string, Node> nodes_;
  std::map<std::uint64_t, Version> versions_;
  std::map<std::int64_t, std::uint64_t> by_mtime_;
  std::uint64_t next_serial_ = 1;
};

}  // namespace lazyvol::testing
