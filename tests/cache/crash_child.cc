// Fills a cache until it is killed. Arguments: directory, seed, "steady" or "random".
// steady: stores contents 1, 2, 3, … whole and, after each commit, writes the last number to
// stdout. random: stores, reads, evicts and trims under a small limit.
#include <unistd.h>

#include <cstdlib>
#include <random>
#include <string_view>

#include "base/log.h"
#include "block_support.h"
#include "crash_support.h"

namespace lazyvol::cache::testing {
namespace {

void steady(BlockCache& cache, std::uint64_t first) {
  for (std::uint64_t number = first; number < kCrashContents; ++number) {
    const auto content = cache.content(key_of(number), crash_size(number));
    for (std::uint64_t block = 0; block < content->layout().count(); ++block) {
      if (!store_block(*content, number, block).ok()) std::_Exit(3);
    }
    if (number % 3 != 0) continue;
    if (!cache.commit().ok()) std::_Exit(4);
    if (::write(STDOUT_FILENO, &number, sizeof number) != sizeof number) std::_Exit(5);
  }
}

void random(BlockCache& cache, std::uint64_t seed) {
  std::mt19937_64 rng(seed);
  for (;;) {
    const std::uint64_t number = rng() % 40;
    const auto content = cache.content(key_of(number), crash_size(number));
    const std::uint64_t blocks = content->layout().count();
    for (int i = 0; i < 8; ++i) {
      const std::uint64_t block = rng() % blocks;
      static_cast<void>(store_block(*content, number, block));
      if (!read_right(*content, number, block) && rng() % 2 == 0) continue;
    }
    if (rng() % 50 == 0) content->evict();
    if (rng() % 200 == 0) static_cast<void>(cache.trim(20 * kMiB));
    if (::testing::Test::HasFailure()) std::_Exit(6);
  }
}

}  // namespace
}  // namespace lazyvol::cache::testing

int main(int argc, char** argv) {
  using namespace lazyvol::cache;
  using namespace lazyvol::cache::testing;
  if (argc != 4) return 2;
  lazyvol::base::log_to_stderr(lazyvol::base::LogLevel::error);  // stdout is for numbers
  const std::uint64_t seed = std::strtoull(argv[2], nullptr, 10);
  const bool is_steady = std::string_view(argv[3]) == "steady";
  auto cache = BlockCache::open(crash_options(argv[1], is_steady));
  if (!cache.ok()) return 2;
  if (is_steady) {
    steady(**cache, seed);
  } else {
    random(**cache, seed);
  }
  return 0;
}
