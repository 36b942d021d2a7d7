// The hit path, and a cold pass over a directory beside plain reads of the same file.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <unistd.h>

#include <future>

#include "real_world.h"
#include "support/temp_dir.h"

namespace lazyvol::fetch {
namespace {

using lazyvol::testing::noise;
using lazyvol::testing::TempDir;
using lazyvol::testing::write_file;

constexpr std::uint64_t kStep = 1ULL << 20;

void read_wait(ContentReader& reader, std::uint64_t offset, std::span<std::byte> out) {
  std::promise<bool> answer;
  reader.read(offset, out, {}, [&](Result<std::size_t> result) { answer.set_value(result.ok()); });
  if (!answer.get_future().get()) std::abort();
}

/// 4 KiB out of a cached file, answered inline.
void inline_hit(benchmark::State& state) {
  const TempDir dir;
  const std::uint64_t size = 16ULL << 20;
  write_file(dir.path() / "www/file", noise(size, 1));
  testing::RealWorld world((dir.path() / "www").string(), dir.path() / "cache");
  auto content = world.open("file");
  ContentReader reader(content, world.fetcher().options());
  std::vector<std::byte> out(kStep);
  for (std::uint64_t at = 0; at < size; at += kStep) read_wait(reader, at, out);
  while (world.fetcher().stats().in_flight_bytes > 0) usleep(1000);
  const auto small = std::span(out).first(4096);
  std::uint64_t at = 0, answered = 0;
  for (auto _ : state) {
    reader.read(at, small, {}, [&](Result<std::size_t> result) { answered += *result; });
    at = (at + 7919 * 4096) % (size - 4096);
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(answered));
}
BENCHMARK(inline_hit);

/// 256 MiB through source, engine and cache, 1 MiB at a time.
void cold_pass(benchmark::State& state) {
  const TempDir dir;
  const std::uint64_t size = 256ULL << 20;
  write_file(dir.path() / "www/file", noise(size, 1));
  std::vector<std::byte> out(kStep);
  int pass = 0;
  for (auto _ : state) {
    state.PauseTiming();
    const auto cache = dir.path() / ("cache" + std::to_string(pass++));
    {
      testing::RealWorld world((dir.path() / "www").string(), cache);
      auto content = world.open("file");
      ContentReader reader(content, world.fetcher().options());
      state.ResumeTiming();
      for (std::uint64_t at = 0; at < size; at += kStep) read_wait(reader, at, out);
      state.PauseTiming();
      state.counters["requests"] = static_cast<double>(world.fetcher().stats().requests);
    }
    std::filesystem::remove_all(cache);
    state.ResumeTiming();
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * size));
}
BENCHMARK(cold_pass)->Unit(benchmark::kMillisecond)->UseRealTime();

/// The peer: the same file into another file, with read(2) and write(2).
void plain_copy(benchmark::State& state) {
  const TempDir dir;
  const std::uint64_t size = 256ULL << 20;
  write_file(dir.path() / "file", noise(size, 1));
  std::vector<std::byte> out(kStep);
  for (auto _ : state) {
    const int from = open((dir.path() / "file").c_str(), O_RDONLY | O_CLOEXEC);
    const int to =
        open((dir.path() / "copy").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    for (ssize_t n = 0; (n = read(from, out.data(), out.size())) > 0;) {
      if (write(to, out.data(), static_cast<std::size_t>(n)) != n) std::abort();
    }
    close(from);
    close(to);
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * size));
}
BENCHMARK(plain_copy)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace lazyvol::fetch

BENCHMARK_MAIN();
