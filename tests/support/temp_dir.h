// A directory that goes away with the test.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace lazyvol::testing {

/// Made below $TEST_TMPDIR or /tmp; removed with all it holds at destruction, unless the running
/// test has failed and LAZYVOL_KEEP is set.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// Writes `bytes` to `path`, making its parents. Aborts the test program on failure.
void write_file(const std::filesystem::path& path, std::string_view bytes);
std::string read_file(const std::filesystem::path& path);
/// `size` bytes of reproducible noise (incompressible).
std::string noise(std::size_t size, std::uint64_t seed);

}  // namespace lazyvol::testing
