// Runs random operations for a while: random_ops [--seconds N] [--rounds N] [--seed S]
// [--readers N] [--source dir|http]. Prints the seed first, so that a failure can be repeated.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <random>

#include "base/log.h"
#include "random_ops.h"
#include "random_origin.h"
#include "support/temp_dir.h"

using namespace lazyvol;

int main(int argc, char** argv) {
  CLI::App app("random operations on a live volume, checked against a model");
  std::uint64_t seed = std::random_device{}();
  std::int64_t seconds = 10;
  std::string kind = "dir";
  testing::RandomOpsOptions options;
  app.add_option("--seconds", seconds, "run at least that long");
  app.add_option("--rounds", options.rounds, "run at least that many rounds");
  app.add_option("--seed", seed, "repeat a run (up to the order of threads)");
  app.add_option("--readers", options.readers, "threads that read");
  app.add_option("--source", kind, "dir or http")->check(CLI::IsMember({"dir", "http"}));
  CLI11_PARSE(app, argc, argv);

  base::log_to_stderr(base::LogLevel::error);
  testing::RandomOrigin origin(kind == "http");
  options.seed = seed;
  options.duration = std::chrono::seconds(seconds);
  options.source = [&](const std::filesystem::path& root) { return origin.open(root); };
  std::printf("seed %llu, %s\n", static_cast<unsigned long long>(seed), kind.c_str());
  std::fflush(stdout);
  const testing::TempDir dir;
  const auto report = testing::run_random_ops(dir.path(), options);
  for (const auto& [name, n] : report.counts) {
    std::printf("%12llu %s\n", static_cast<unsigned long long>(n), name.c_str());
  }
  std::printf("%12llu bytes checked\n", static_cast<unsigned long long>(report.bytes_checked));
  if (report.failure.empty()) return 0;
  std::printf("FAILED with seed %llu: %s\n", static_cast<unsigned long long>(seed),
              report.failure.c_str());
  return 1;
}
