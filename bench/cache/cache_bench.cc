// The block cache against the plain file operations below it, in one run: each benchmark does both
// and reports `ratio` = cache throughput / plain throughput.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "base/units.h"
#include "cache/block_cache.h"
#include "support/temp_dir.h"

namespace lazyvol::cache {
namespace {

using base::kMiB;
using Seconds = std::chrono::duration<double>;

std::shared_ptr<BlockCache> open(const std::filesystem::path& dir) {
  CacheOptions options;
  options.dir = dir;
  options.free_space_ratio = 0;
  auto cache = BlockCache::open(options);
  if (!cache.ok()) std::abort();
  return *cache;
}

class Timer {
 public:
  void begin() { began_ = std::chrono::steady_clock::now(); }
  void end() { total_ += std::chrono::steady_clock::now() - began_; }
  double seconds() const { return Seconds(total_).count(); }

 private:
  std::chrono::steady_clock::time_point began_;
  std::chrono::steady_clock::duration total_{};
};

void report(benchmark::State& state, double bytes, const Timer& ours, const Timer& plain) {
  state.counters["cache_MB/s"] = bytes / ours.seconds() / 1e6;
  state.counters["plain_MB/s"] = bytes / plain.seconds() / 1e6;
  state.counters["ratio"] = plain.seconds() / ours.seconds();
}

// Random reads of `range(0)` bytes from a content of `range(1)` MiB, all in the page cache and
// verified, against pread(2) of a file of that size.
void ReadHit(benchmark::State& state) {
  const auto length = static_cast<std::size_t>(state.range(0));
  const std::uint64_t size = static_cast<std::uint64_t>(state.range(1)) * kMiB / 4;
  const lazyvol::testing::TempDir temp;
  const auto cache = open(temp.path() / "cache");
  const auto content = cache->content(model::live_content_key("bench", "", ""), size);
  const std::string noise = lazyvol::testing::noise(model::kBlockSize, 1);
  const std::string file = (temp.path() / "plain").string();
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT, 0600);
  std::vector<std::byte> out(model::kBlockSize);
  for (std::uint64_t block = 0; block < content->layout().count(); ++block) {
    const auto bytes = std::as_bytes(std::span(noise)).first(content->layout().length_of(block));
    if (!content->store(block, bytes).ok()) std::abort();
    if (::pwrite(fd, bytes.data(), bytes.size(),
                 static_cast<off_t>(model::BlockLayout::offset_of(block))) < 0) {
      std::abort();
    }
  }
  if (!cache->commit().ok()) std::abort();
  for (std::uint64_t block = 0; block < content->layout().count(); ++block) {
    if (!content->read(block, 0, std::span(out).first(content->layout().length_of(block))).ok()) {
      std::abort();
    }
  }
  constexpr int kBatch = 256;
  std::mt19937_64 rng(1);
  std::vector<std::uint64_t> offsets(kBatch);
  Timer ours, plain;
  double bytes = 0;
  for (auto _ : state) {
    for (auto& offset : offsets) offset = rng() % (size / length) * length;
    plain.begin();
    for (const auto offset : offsets) {
      if (::pread(fd, out.data(), length, static_cast<off_t>(offset)) < 0) std::abort();
    }
    plain.end();
    ours.begin();
    for (const auto offset : offsets) {
      const auto within = static_cast<std::uint32_t>(offset % model::kBlockSize);
      if (!content->read(offset / model::kBlockSize, within, std::span(out).first(length)).ok()) {
        std::abort();
      }
    }
    ours.end();
    bytes += static_cast<double>(kBatch * length);
  }
  ::close(fd);
  report(state, bytes, ours, plain);
}
// The second number is the content's size in quarters of a MiB: 2 = 512 KiB, in slabs.
BENCHMARK(ReadHit)
    ->Args({4096, 2})
    ->Args({4096, 512})
    ->Args({64 * 1024, 2})
    ->Args({64 * 1024, 512});

// Storing contents of `range(0)` KiB, 128 MiB in all, with a commit at the end, against pwrite(2)
// of the same bytes in the same pieces into one file, with an fdatasync at the end.
void Store(benchmark::State& state) {
  const std::uint64_t size = static_cast<std::uint64_t>(state.range(0)) * 1024;
  const std::uint64_t total = 128 * kMiB;
  const std::string noise = lazyvol::testing::noise(model::kBlockSize, 1);
  Timer ours, plain;
  double bytes = 0;
  for (auto _ : state) {
    const lazyvol::testing::TempDir temp;
    {
      const std::string file = (temp.path() / "plain").string();
      plain.begin();
      const int fd = ::open(file.c_str(), O_RDWR | O_CREAT, 0600);
      for (std::uint64_t at = 0; at < total;
           at += std::min<std::uint64_t>(size, model::kBlockSize)) {
        const std::uint64_t length = std::min<std::uint64_t>(size, model::kBlockSize);
        if (::pwrite(fd, noise.data(), length, static_cast<off_t>(at)) < 0) std::abort();
      }
      if (::fdatasync(fd) != 0) std::abort();
      ::close(fd);
      plain.end();
      std::filesystem::remove(file);
    }
    const auto cache = open(temp.path() / "cache");
    ours.begin();
    for (std::uint64_t number = 0; number * size < total; ++number) {
      const auto key = model::live_content_key("bench", std::to_string(number), "");
      const auto content = cache->content(key, size);
      for (std::uint64_t block = 0; block < content->layout().count(); ++block) {
        const auto part = std::as_bytes(std::span(noise)).first(content->layout().length_of(block));
        if (!content->store(block, part).ok()) std::abort();
      }
    }
    if (!cache->commit().ok()) std::abort();
    ours.end();
    bytes += static_cast<double>(total);
  }
  report(state, bytes, ours, plain);
}
BENCHMARK(Store)
    ->Arg(8)
    ->Arg(64)
    ->Arg(512)
    ->Arg(4096)
    ->Arg(128 * 1024)
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace lazyvol::cache

BENCHMARK_MAIN();
