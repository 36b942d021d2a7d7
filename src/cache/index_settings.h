// How an index is opened: what Index::open() decides for everybody, and what tests vary.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string_view>

#include "base/clock.h"
#include "cache/index.h"

namespace lazyvol::cache {

/// What the index is about to do with a file.
enum class FileOperation : std::uint8_t { create, append, sync, read, rename };

/// Test seam: called before each operation on a file of the index; an errno > 0 fails it.
/// Called on any thread.
using FileFault = std::function<int(FileOperation operation, std::string_view path)>;

struct IndexSettings {
  std::filesystem::path dir;                      ///< the cache directory; the index is `dir`/index
  std::uint64_t reserve_bytes = 16U << 20;        ///< at most; less on a small disk
  std::chrono::milliseconds reopen_after{5'000};  ///< between tries to leave the failed state
  const base::Clock* clock = &base::system_clock();
  FileFault fault = nullptr;
};

/// Index::open() with all settings. The same errors.
Result<std::unique_ptr<Index>> open_index(IndexSettings settings);

}  // namespace lazyvol::cache
