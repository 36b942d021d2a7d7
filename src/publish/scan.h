// Finding out what is in a tree, with several threads and without opening a file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "lazyvol/error.h"
#include "publish/progress.h"
#include "publish/tree.h"
#include "publish/tree_files.h"

namespace lazyvol::publish {

struct ScanSettings {
  std::filesystem::path root;
  bool one_file_system = false;  ///< directories on other file systems are shown empty
  unsigned threads = 1;
  std::size_t left_out = 100;  ///< names that are told
  /// The directory of the volume that is published to: a tree that holds it would grow with each
  /// publish, so that is an error.
  std::optional<Inode> store;
  std::optional<Inode> state;  ///< the publisher's own memory: left out
};

struct Scan {
  Fd root;
  Tree tree;
  /// "PATH: a socket", …; as many as are told, in byte order.
  std::vector<std::string> left_out;
  std::uint64_t left_out_total = 0;
};

/// Reads all directories. Names that vanish meanwhile were not there. Hard links (files and
/// symbolic links of one inode) become groups, numbered by their first name. Errors: not_found,
/// not_directory (the root), access_denied (a directory), invalid_argument (the store is in the
/// tree), too_large, io_error, cancelled; all name the path.
Result<Scan> scan_tree(const ScanSettings& settings, Progress& progress);

}  // namespace lazyvol::publish
