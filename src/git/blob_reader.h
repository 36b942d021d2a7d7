// The blobs that are on this machine: their sizes and bytes.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/locked.h"
#include "git/cat_file.h"
#include "lazyvol/error.h"

namespace lazyvol::git {

/// Calls block on the disk. Thread-safe; each thread that is within a call uses a cat-file of its
/// own, so who bounds the threads bounds those.
class BlobReader {
 public:
  struct Settings {
    Command cat_file;               ///< runs `git cat-file --batch-command`
    std::filesystem::path scratch;  ///< emptied
    /// Long blobs lie there inflated while they are read, so that any part can be read without the
    /// rest: at most so many bytes, or one blob.
    std::uint64_t scratch_bytes = 1ULL << 30;
  };
  static Result<std::unique_ptr<BlobReader>> open(Settings settings);

  /// As CatFile::sizes().
  Result<std::vector<std::optional<std::uint64_t>>> sizes(std::span<const std::string> ids);
  /// A blob of up to `most` bytes. Errors: not_found, too_large, ….
  Result<std::string> read(const std::string& id, std::uint64_t most);
  /// Makes the file `scratch`/ID with a blob's bytes, if it is not there. Errors: not_found,
  /// no_space, ….
  Status inflate(const std::string& id);

  /// When inflate() last wrote something. Before that, the epoch.
  std::chrono::steady_clock::time_point progress() const {
    return std::chrono::steady_clock::time_point(
        std::chrono::steady_clock::duration(progress_.load(std::memory_order_relaxed)));
  }
  /// Packs were taken away: what has them open is ended.
  void forget_packs();
  /// Ends calls that are under way with cancelled.
  void stop() { stop_.request_stop(); }

 private:
  explicit BlobReader(Settings settings) : settings_(std::move(settings)) {}
  struct Idle {
    std::vector<std::unique_ptr<CatFile>> programs;
    std::uint64_t generation = 0;
  };
  struct Scratch {
    std::list<std::pair<std::string, std::uint64_t>> order;  ///< id and bytes, last used first
    std::unordered_map<std::string, std::list<std::pair<std::string, std::uint64_t>>::iterator>
        found;
    std::uint64_t bytes = 0;
  };
  template <class Work>
  auto with_program(Work work) -> decltype(work(std::declval<CatFile&>()));
  bool use_scratch(const std::string& id);
  void add_scratch(const std::string& id, std::uint64_t bytes);
  Result<std::uint64_t> write_scratch(const std::string& id, const std::string& path);

  const Settings settings_;
  std::stop_source stop_;
  std::atomic<std::chrono::steady_clock::rep> progress_{0};
  base::Locked<Idle> idle_;
  base::Locked<Scratch> scratch_;
};

}  // namespace lazyvol::git
