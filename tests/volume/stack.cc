#include "stack.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

namespace lazyvol::testing {

Result<std::vector<Listed>> items(Directory& directory) {
  std::vector<Listed> all;
  for (;;) {
    const std::size_t before = all.size();
    Answer<int> answer;
    directory.read(
        before, {},
        [&](const Directory::Item& item) {
          all.push_back({std::string(item.name), item.id, item.type, item.node});
          return true;
        },
        [done = answer.done()](Status status) {
          done(status.ok() ? Result<int>(0) : Result<int>(std::move(status).error()));
        });
    if (auto read = answer.get(); !read.ok()) return read.error();
    if (all.size() == before) return all;
  }
}

Stack::Stack(std::filesystem::path cache_dir, std::shared_ptr<Source> source,
             const base::Clock& clock, model::MountOptions options, std::string name)
    : Stack(
          std::move(cache_dir),
          [source = std::move(source), name = std::move(name)](
              const model::MountOptions& chosen, volume::VolumeEnvironment environment)
              -> Result<std::shared_ptr<volume::MountedVolume>> {
            auto volume = volume::LiveVolume::open(name, source, chosen, environment);
            if (!volume.ok()) return volume.error();
            return std::shared_ptr<volume::MountedVolume>(*std::move(volume));
          },
          clock, std::move(options)) {}

Stack::Stack(std::filesystem::path cache_dir, Open open, const base::Clock& clock,
             model::MountOptions options)
    : cache_dir_(std::move(cache_dir)),
      open_(std::move(open)),
      clock_(clock),
      options_(std::move(options)) {}

Stack::~Stack() {
  close();
}

Status Stack::open() {
  timer_.emplace();
  disk_.emplace("lv-disk", 2);
  work_.emplace("lv-work", 2);
  std::filesystem::create_directories(cache_dir_);
  cache::CacheOptions cache_options;
  cache_options.dir = cache_dir_;
  cache_options.max_bytes = options_.cache_size;
  cache_options.free_space_ratio = 0;
  auto cache = cache::BlockCache::open(cache_options);
  // A read that the source had not ended when the last stack closed keeps its content, and so the
  // cache, until it ends.
  const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!cache.ok() && cache.error().code == Code::busy &&
         std::chrono::steady_clock::now() < patience) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    cache = cache::BlockCache::open(cache_options);
  }
  if (!cache.ok()) {
    std::fprintf(stderr, "cache: %s\n", cache.error().message.c_str());
    std::abort();
  }
  cache_ = *std::move(cache);
  index_.emplace(cache_->index());
  trees_.emplace(*index_);
  heads_.emplace(*index_);
  auto volume =
      open_(options_, {clock_, *timer_, *work_, *trees_, *heads_, {cache_, *timer_, *disk_}});
  if (!volume.ok()) return volume.error();
  volume_ = *std::move(volume);
  return {};
}

void Stack::close() {
  if (volume_) volume_->stop();
  if (work_) work_->stop();
  if (disk_) disk_->stop();
  if (timer_) timer_->stop();
  volume_.reset();
  heads_.reset();
  trees_.reset();
  index_.reset();
  cache_.reset();
  work_.reset();
  disk_.reset();
  timer_.reset();
}

Result<Node> Stack::lookup(NodeId parent, const std::string& name, RequestContext ctx) {
  Answer<Node> answer;
  volume_->lookup(parent, name, ctx, answer.done());
  return answer.get();
}

Result<Node> Stack::attributes(NodeId id) {
  Answer<Node> answer;
  volume_->attributes(id, {}, answer.done());
  return answer.get();
}

Result<std::shared_ptr<Directory>> Stack::list(NodeId id, RequestContext ctx) {
  Answer<std::shared_ptr<Directory>> answer;
  volume_->open_directory(id, ctx, answer.done());
  return answer.get();
}

Result<std::shared_ptr<File>> Stack::open_file(NodeId id) {
  Answer<std::shared_ptr<File>> answer;
  volume_->open_file(id, {}, answer.done());
  return answer.get();
}

Result<std::string> Stack::read(File& file, std::uint64_t offset, std::size_t size) {
  std::string out(size, '\0');
  Answer<std::size_t> answer;
  file.read(offset, std::as_writable_bytes(std::span(out)), {}, answer.done());
  auto got = answer.get();
  if (!got.ok()) return got.error();
  out.resize(*got);
  return out;
}

Result<Node> Stack::walk(const std::string& path) {
  NodeId at = kRootNode;
  std::size_t begin = 0;
  for (;;) {
    const auto slash = path.find('/', begin);
    auto node = lookup(at, path.substr(begin, slash - begin));
    if (!node.ok() || slash == std::string::npos) return node;
    at = node->attributes.id;
    begin = slash + 1;
  }
}

Result<RefreshReport> Stack::refresh() {
  Answer<RefreshReport> answer;
  volume_->refresh({}, answer.done());
  return answer.get();
}

Result<std::uint64_t> Stack::evict(const std::string& path) {
  Answer<std::uint64_t> answer;
  volume_->evict(path, answer.done());
  return answer.get();
}

Result<PrefetchProgress> Stack::prefetch(const std::string& path) {
  Answer<PrefetchProgress> answer;
  volume_->prefetch(path, {}, nullptr, answer.done());
  return answer.get();
}

}  // namespace lazyvol::testing
