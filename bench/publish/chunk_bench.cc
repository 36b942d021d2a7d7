// Cutting and hashing, against hashing alone.
#include <benchmark/benchmark.h>

#include <random>
#include <string>

#include "catalog/digest.h"
#include "publish/chunker.h"

namespace lazyvol::publish {
namespace {

const std::string& input() {
  static const std::string bytes = [] {
    std::string result(64U << 20, '\0');
    std::mt19937_64 random(1);
    for (std::size_t i = 0; i < result.size(); i += 8) {
      const std::uint64_t value = random();
      for (unsigned j = 0; j < 8; ++j) result[i + j] = static_cast<char>(value >> (8 * j));
    }
    return result;
  }();
  return bytes;
}

void cut(benchmark::State& state, bool hash) {
  const Chunker chunker(
      chunk_sizes(input().size(), state.range(0) != 0 ? Chunks::fine : Chunks::standard));
  std::size_t chunks = 0;
  for (auto _ : state) {
    chunks = 0;
    for (std::string_view rest = input(); !rest.empty(); ++chunks) {
      const std::size_t length = chunker.cut(rest);
      if (hash) benchmark::DoNotOptimize(catalog::sha256(rest.substr(0, length)));
      rest.remove_prefix(length);
    }
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * input().size()));
  state.counters["bytes_per_chunk"] =
      static_cast<double>(input().size()) / static_cast<double>(chunks);
}

void Hash(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(catalog::sha256(input()));
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * input().size()));
}
void Cut(benchmark::State& state) {
  cut(state, false);
}
void CutAndHash(benchmark::State& state) {
  cut(state, true);
}
BENCHMARK(Hash);
BENCHMARK(Cut)->Arg(0)->Arg(1);
BENCHMARK(CutAndHash)->Arg(0)->Arg(1);

}  // namespace
}  // namespace lazyvol::publish

BENCHMARK_MAIN();
