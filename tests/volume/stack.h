// A volume with everything real below it but the source and the clock.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "await.h"
#include "base/timer.h"
#include "base/workers.h"
#include "cache/block_cache.h"
#include "cache/index.h"
#include "cache/tree_store.h"
#include "failing_index.h"
#include "lazyvol/source.h"
#include "model/options.h"
#include "volume/live_volume.h"

namespace lazyvol::testing {

/// An item of a directory that may be kept.
struct Listed {
  std::string name;
  NodeId id = 0;
  NodeType type = NodeType::file;
  std::optional<Node> node;
};
/// All items of a directory, read part by part. Errors: those of Directory::read.
Result<std::vector<Listed>> items(Directory& directory);

/// Owns cache, index, threads and volume. close() and open() play a restart of the process.
class Stack {
 public:
  using Open = std::function<Result<std::shared_ptr<volume::MountedVolume>>(
      const model::MountOptions&, volume::VolumeEnvironment)>;

  /// A LiveVolume.
  Stack(std::filesystem::path cache_dir, std::shared_ptr<Source> source, const base::Clock& clock,
        model::MountOptions options, std::string name = "test");
  /// Whatever `open` makes.
  Stack(std::filesystem::path cache_dir, Open open, const base::Clock& clock,
        model::MountOptions options);
  ~Stack();
  Stack(const Stack&) = delete;
  Stack& operator=(const Stack&) = delete;

  /// Errors: those of the volume's open(). Aborts the program when the cache does not open.
  Status open();
  void close();
  volume::MountedVolume& volume() { return *volume_; }
  const std::shared_ptr<volume::MountedVolume>& shared_volume() { return volume_; }
  base::TimerQueue& timer() { return *timer_; }
  cache::BlockCache& cache() { return *cache_; }
  /// What the tree is written to.
  FailingIndex& index() { return *index_; }
  cache::TreeStore& trees() { return *trees_; }
  base::Workers& work() { return *work_; }

  Result<Node> lookup(NodeId parent, const std::string& name, RequestContext ctx = {});
  Result<Node> attributes(NodeId id);
  Result<std::shared_ptr<Directory>> list(NodeId id, RequestContext ctx = {});
  Result<std::shared_ptr<File>> open_file(NodeId id);
  Result<std::string> read(File& file, std::uint64_t offset, std::size_t size);
  /// Looks up a whole path, component by component.
  Result<Node> walk(const std::string& path);
  Result<RefreshReport> refresh();
  Result<std::uint64_t> evict(const std::string& path);
  Result<PrefetchProgress> prefetch(const std::string& path);

 private:
  const std::filesystem::path cache_dir_;
  const Open open_;
  const base::Clock& clock_;
  const model::MountOptions options_;
  std::optional<base::TimerQueue> timer_;
  std::optional<base::Workers> disk_, work_;
  std::shared_ptr<cache::BlockCache> cache_;
  std::optional<FailingIndex> index_;
  std::optional<cache::TreeStore> trees_;
  std::optional<cache::HeadStore> heads_;
  std::shared_ptr<volume::MountedVolume> volume_;
};

}  // namespace lazyvol::testing
