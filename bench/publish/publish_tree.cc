// Publishes a tree once and says what that took, as one line of JSON. Arguments: tree, volume,
// state. For publish_tree.py.
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <string>

#include "base/log.h"
#include "publish/dir_store.h"
#include "publish/publisher.h"

int main(int argc, char** argv) {
  using namespace lazyvol;
  if (argc < 4) return 2;
  base::log_to_stderr(base::LogLevel::warn);
  publish::PublishOptions options;
  options.tree = argv[1];
  options.state_dir = argv[3];
  if (argc > 4 && std::string(argv[4]) == "fine") options.chunks = publish::Chunks::fine;
  const auto begin = std::chrono::steady_clock::now();
  const auto since = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  auto phase = publish::PublishProgress::Phase::scanning;
  std::string phases;
  const auto progress = [&](const publish::PublishProgress& now) {
    if (now.phase == phase) return;
    phase = now.phase;
    phases += (phases.empty() ? "" : ", ") + std::to_string(since());
  };
  auto store = publish::make_dir_store(argv[2]);
  if (!store.ok()) {
    std::fprintf(stderr, "%s\n", store.error().message.c_str());
    return 1;
  }
  const auto report = publish::publish(**store, options, progress, {});
  if (!report.ok()) {
    std::fprintf(stderr, "%s\n", report.error().message.c_str());
    return 1;
  }
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  std::printf(
      "{\"seconds\": %.3f, \"cpu\": %.3f, \"rss_mib\": %ld, \"phases_at\": [%s], \"entries\": %lu, "
      "\"bytes\": %lu, \"files_read\": %lu, \"changed\": %lu, \"known\": %lu, \"data\": %lu, "
      "\"metadata\": %lu, \"objects\": %lu, \"left_out\": %lu}\n",
      since(), seconds(used.ru_utime) + seconds(used.ru_stime), used.ru_maxrss / 1024,
      phases.c_str(), report->entries, report->bytes, report->files_read, report->entries_changed,
      report->bytes_known, report->data_bytes, report->metadata_bytes, report->objects_written,
      report->left_out_total);
  return 0;
}
