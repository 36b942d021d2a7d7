// The hit path, and a cold pass over a directory beside plain reads of the same file; frames of a
// published volume beside curl and beside the same pack as a plain file, all from one nginx.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <unistd.h>

#include <future>
#include <map>
#include <memory>

#include "real_world.h"
#include "support/servers.h"
#include "support/temp_dir.h"
#include "test_volume.h"

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

/// A file of 128 MiB in 4 packs of frames of 128 KiB, behind nginx; compressible or not.
struct Published {
  explicit Published(bool compressed) {
    const std::size_t part = 32ULL << 20;
    for (std::uint64_t i = 0; i < 4; ++i) {
      testing::TestVolume volume;
      volume.add("part", compressed ? testing::compressible(part, i) : noise(part, i), 64 * 1024);
      volume.build();
      for (const auto& pack : volume.packs) {
        write_file(dir.path() / "www" / pack.path, pack.bytes);
      }
      const auto& data = volume.packs[0];
      frames.insert(frames.end(), data.frames.begin(), data.frames.end());
      paths.push_back(data.path);
      stored += data.stored();
      raw += part;
      entries.push_back(volume.entries[0]);
    }
    server.emplace(dir.path() / "www");
  }

  const TempDir dir;
  std::vector<catalog::FrameRef> frames;
  std::vector<std::string> paths;
  std::vector<catalog::Entry> entries;  ///< one for each pack
  std::uint64_t stored = 0, raw = 0;
  std::optional<lazyvol::testing::Nginx> server;
};

/// Those that were asked for, until the end of main().
std::map<bool, std::unique_ptr<const Published>>& volumes() {
  static std::map<bool, std::unique_ptr<const Published>> made;
  return made;
}

const Published& published(bool compressed) {
  auto& volume = volumes()[compressed];
  if (!volume) volume = std::make_unique<const Published>(compressed);
  return *volume;
}

void report(benchmark::State& state, const Published& volume) {
  const auto times = static_cast<double>(state.iterations());
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * volume.raw));
  state.counters["wire"] =
      benchmark::Counter(times * static_cast<double>(volume.stored), benchmark::Counter::kIsRate);
}

/// Runs `pass` with a fresh cache each time.
template <class World, class Pass>
void cold(benchmark::State& state, const Published& volume, Pass pass) {
  int number = 0;
  for (auto _ : state) {
    state.PauseTiming();
    const auto cache = volume.dir.path() / ("cache" + std::to_string(number++));
    {
      auto world = pass.template open<World>(volume, cache);
      state.ResumeTiming();
      pass(*world, volume);
      state.PauseTiming();
    }
    std::filesystem::remove_all(cache);
    state.ResumeTiming();
  }
  report(state, volume);
}

/// All frames: fetched, verified, decompressed; and stored, or not.
struct Frames {
  FrameUse use;
  template <class World>
  std::unique_ptr<World> open(const Published& volume, const std::filesystem::path& cache) const {
    return std::make_unique<World>(std::vector{volume.server->url()}, cache);
  }
  void operator()(testing::RealPublished& world, const Published& volume) const {
    std::promise<bool> all;
    world.fetcher().frames().want(volume.frames, use, {},
                                  [&](Status status) { all.set_value(status.ok()); });
    if (!all.get_future().get()) std::abort();
  }
};

/// Files of these frames, read from end to end.
struct Files : Frames {
  void operator()(testing::RealPublished& world, const Published& volume) const {
    std::vector<std::byte> out(kStep);
    for (const auto& entry : volume.entries) {
      const auto content = world.fetcher().open(entry);
      ContentReader reader(content, world.fetcher().options());
      for (std::uint64_t at = 0; at < entry.size; at += kStep) read_wait(reader, at, out);
    }
  }
};

/// The packs as plain files: no verification, no decompression.
struct Plain {
  template <class World>
  std::unique_ptr<World> open(const Published& volume, const std::filesystem::path& cache) const {
    return std::make_unique<World>(volume.server->url(), cache);
  }
  void operator()(testing::RealWorld& world, const Published& volume) const {
    std::vector<std::byte> out(kStep);
    for (const auto& path : volume.paths) {
      const auto content = world.open(path);
      ContentReader reader(content, world.fetcher().options());
      for (std::uint64_t at = 0; at < content->ref().size; at += kStep) read_wait(reader, at, out);
    }
  }
};

void frames_to_memory(benchmark::State& state) {
  cold<testing::RealPublished>(state, published(state.range(0) != 0), Frames{FrameUse::part});
}
void frames_to_cache(benchmark::State& state) {
  cold<testing::RealPublished>(state, published(state.range(0) != 0), Frames{FrameUse::bundle});
}
void published_files(benchmark::State& state) {
  cold<testing::RealPublished>(state, published(state.range(0) != 0), Files{{FrameUse::part}});
}
void packs_as_plain_files(benchmark::State& state) {
  cold<testing::RealWorld>(state, published(state.range(0) != 0), Plain{});
}
void curl_to_nowhere(benchmark::State& state) {
  const Published& volume = published(state.range(0) != 0);
  for (auto _ : state) {
    for (const auto& path : volume.paths) {
      const auto result =
          lazyvol::testing::run({"curl", "-s", "-o", "/dev/null", volume.server->url() + path});
      if (result.status != 0) std::abort();
    }
  }
  report(state, volume);
}
// Argument: 1 = compressible. The time of the processor is that of all threads; of curl, none.
#define LAZYVOL_COLD(name)            \
  BENCHMARK(name)                     \
      ->Arg(0)                        \
      ->Arg(1)                        \
      ->Unit(benchmark::kMillisecond) \
      ->MeasureProcessCPUTime()       \
      ->UseRealTime()
LAZYVOL_COLD(frames_to_memory);
LAZYVOL_COLD(frames_to_cache);
LAZYVOL_COLD(published_files);
LAZYVOL_COLD(packs_as_plain_files);
LAZYVOL_COLD(curl_to_nowhere);

}  // namespace
}  // namespace lazyvol::fetch

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  lazyvol::fetch::volumes().clear();
  benchmark::Shutdown();
}
