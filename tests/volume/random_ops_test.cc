// A short run of the random operations, over a directory and over nginx. Seeds that once found
// something stay here.
#include "random_ops.h"

#include <gtest/gtest.h>

#include "random_origin.h"
#include "support/temp_dir.h"

namespace lazyvol::testing {
namespace {

void run(bool http, std::uint64_t seed) {
  RandomOrigin origin(http);
  RandomOpsOptions options;
  options.seed = seed;
  options.rounds = 2;
  options.source = [&](const std::filesystem::path& root) { return origin.open(root); };
  const TempDir dir;
  const auto report = run_random_ops(dir.path(), options);
  EXPECT_EQ(report.failure, "") << "seed " << seed;
  EXPECT_GT(report.bytes_checked, 0U);
}

TEST(RandomOps, OverADirectory) {
  for (const std::uint64_t seed : {1, 2}) run(false, seed);
}

TEST(RandomOps, OverNginx) {
  run(true, 1);
}

}  // namespace
}  // namespace lazyvol::testing
