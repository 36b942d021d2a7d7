// Publishes a tree, to be killed at it. Arguments: tree, volume, state.
#include "base/log.h"
#include "publish/dir_store.h"
#include "publish/publication.h"

int main(int argc, char** argv) {
  using namespace lazyvol;
  if (argc != 4) return 2;
  base::log_to_stderr(base::LogLevel::error);
  publish::PublishOptions options;
  options.tree = argv[1];
  options.state_dir = argv[3];
  options.threads = 2;
  publish::Limits limits;
  limits.pack_target = 1 << 20;
  limits.settle_ns = 20'000'000;
  auto store = publish::make_dir_store(argv[2]);
  if (!store.ok()) return 3;
  return publish::publish_within(limits, **store, options, nullptr, {}).ok() ? 0 : 4;
}
