#include "random_ops.h"

#include <algorithm>
#include <atomic>
#include <fstream>
#include <mutex>
#include <random>
#include <set>
#include <shared_mutex>
#include <thread>
#include <vector>

#include "fault_source.h"
#include "origin_model.h"
#include "stack.h"

namespace lazyvol::testing {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kTtl{60'000};
constexpr milliseconds kPastEverything{200'000};  // TTLs and backoff windows

/// A version that a handle belongs to, and what it may answer.
struct Handle {
  std::shared_ptr<File> file;
  std::uint64_t serial = 0;
  std::uint64_t size = 0;
};

class RandomOps {
 public:
  RandomOps(const std::filesystem::path& dir, const RandomOpsOptions& options)
      : options_(options),
        dir_(dir),
        model_(dir / "origin", dir / "staging"),
        faults_(std::make_shared<FaultSource>(options.source(dir / "origin"), options.seed)),
        random_(options.seed) {}

  RandomOpsReport run();

 private:
  // What the thread that changes things does, one round after the other.
  void populate();
  void round();
  void change_origin();
  void put_random_file();
  void rename_something();
  void remove_something();
  void administer();
  void restart_with_damage();
  void close_stack();
  std::unique_lock<std::shared_mutex> alone();
  void damage_cache();
  void verify_all();
  void verify_directory(NodeId id, const std::string& path);
  void verify_file(const Node& node, const std::string& path, std::uint64_t serial);

  // What readers do.
  void reader(std::uint64_t seed);
  void read_something(std::mt19937_64& random, std::vector<Handle>& handles);
  void look_up(std::mt19937_64& random, std::vector<Handle>& handles);
  void list_one(std::mt19937_64& random);
  void read_handle(std::mt19937_64& random, const Handle& handle);
  void check_seen(const Node& node, const std::string& path);
  void check_id(NodeId id, const std::string& path, std::uint64_t serial);
  bool may_fail(Code code) const;

  void fail(const std::string& what);
  void count(const char* what, std::uint64_t n = 1);
  bool failed() const { return failed_; }
  std::int64_t now() const { return clock_.wall_ns(); }
  std::uint64_t pick(std::uint64_t below) { return random_() % below; }
  std::string random_path(bool directory);
  std::string some_path(std::mt19937_64& random);

  const RandomOpsOptions options_;
  const std::filesystem::path dir_;
  FakeClock clock_;
  std::mutex model_mutex_;  // guards the five below
  OriginModel model_;
  std::map<NodeId, std::uint64_t> serial_of_id_;
  std::map<std::uint64_t, NodeId> id_of_serial_;  // of permanent files
  std::vector<std::string> paths_;                // ever used
  const std::shared_ptr<FaultSource> faults_;
  std::mt19937_64 random_;
  bool restarted_ = true;
  std::unique_ptr<Stack> stack_;
  std::shared_mutex alive_;  // shared: uses the stack; exclusive: restarts it
  // Readers stand back while the exclusive side waits: the lock itself prefers readers.
  std::atomic<bool> standing_back_{false};
  std::atomic<bool> faulty_{false}, stop_{false}, failed_{false};
  std::mutex report_mutex_;
  RandomOpsReport report_;
};

void RandomOps::fail(const std::string& what) {
  const std::lock_guard lock(report_mutex_);
  if (report_.failure.empty()) report_.failure = what;
  failed_ = true;
}

void RandomOps::count(const char* what, std::uint64_t n) {
  const std::lock_guard lock(report_mutex_);
  report_.counts[what] += n;
}

/// Failures that are right: the origin's while faults are injected, and stale at any time (a name
/// may always have come to show another version in between).
bool RandomOps::may_fail(Code code) const {
  if (code == Code::stale) return true;
  return faulty_ && is_transient(code);
}

void RandomOps::populate() {
  const std::lock_guard lock(model_mutex_);
  for (const std::string name : {"a", "b", "a/deep", "a/deep/er", "keep"}) {
    model_.make_directory(name, name == "keep");
    paths_.push_back(name);
  }
  for (int i = 0; i < 12; ++i) {
    const std::string path = "keep/" + std::to_string(i);
    model_.put_file(path, pick(300'000), now(), true);
    paths_.push_back(path);
  }
  model_.put_file("keep/big", 5'000'000, now(), true);
  paths_.push_back("keep/big");
}

std::string RandomOps::random_path(bool directory) {
  std::vector<std::string> parents{""};
  for (const auto& [path, node] : model_.nodes()) {
    if (node.directory && std::count(path.begin(), path.end(), '/') < 4) parents.push_back(path);
  }
  const std::string& parent = parents[pick(parents.size())];
  const std::string name = (directory ? "d" : "f ") + std::to_string(pick(12));
  return parent.empty() ? name : parent + "/" + name;
}

void RandomOps::put_random_file() {
  constexpr std::uint64_t kSizes[] = {0, 100, 5'000, 262'144, 300'000, 1'500'000};
  std::string path = random_path(false);
  if (pick(4) == 0) path = "keep/" + std::to_string(pick(12));
  const auto it = model_.nodes().find(path);
  if (it != model_.nodes().end() && it->second.directory) return;
  model_.put_file(path, kSizes[pick(std::size(kSizes))] + pick(50), now());
  paths_.push_back(path);
  count("origin: put");
}

void RandomOps::remove_something() {
  std::vector<std::string> all;
  for (const auto& [path, node] : model_.nodes()) {
    if (model_.removable(path)) all.push_back(path);
  }
  if (all.empty()) return;
  model_.remove(all[pick(all.size())], now());
  count("origin: remove");
}

void RandomOps::rename_something() {
  std::vector<std::string> all;
  for (const auto& [path, node] : model_.nodes()) {
    if (model_.removable(path)) all.push_back(path);
  }
  if (all.empty()) return;
  const std::string from = all[pick(all.size())];
  const bool directory = model_.nodes().at(from).directory;
  const std::string to = random_path(directory);
  if (to == from || to.starts_with(from + "/") || model_.nodes().contains(to)) return;
  model_.rename(from, to, now());
  paths_.push_back(to);
  count("origin: rename");
}

void RandomOps::change_origin() {
  const std::lock_guard lock(model_mutex_);
  switch (pick(10)) {
    case 0: {
      const std::string path = random_path(true);
      if (model_.nodes().contains(path)) return;
      model_.make_directory(path);
      paths_.push_back(path);
      return count("origin: mkdir");
    }
    case 1:
      return remove_something();
    case 2:
      return rename_something();
    default:
      return put_random_file();
  }
}

std::unique_lock<std::shared_mutex> RandomOps::alone() {
  standing_back_ = true;
  std::unique_lock lock(alive_);
  standing_back_ = false;
  standing_back_.notify_all();
  return lock;
}

void RandomOps::damage_cache() {
  for (const auto& item : std::filesystem::recursive_directory_iterator(dir_ / "cache")) {
    const auto path = item.path().string();
    const bool payload =
        path.find("/objects") != std::string::npos || path.find("/slabs") != std::string::npos;
    if (!payload || !item.is_regular_file() || item.file_size() < 4096 || pick(3) != 0) continue;
    std::fstream file(item.path(), std::ios::in | std::ios::out | std::ios::binary);
    for (int i = 0; i < 4; ++i) {
      const auto at = static_cast<std::streamoff>(pick(item.file_size()));
      char byte = 0;
      file.seekg(at);
      file.get(byte);
      file.seekp(at);
      file.put(static_cast<char>(byte ^ 0x40));
    }
    count("cache: file damaged");
  }
}

void RandomOps::close_stack() {
  count("cache: corrupt blocks found", stack_->cache().stats().corrupt_blocks);
  count("cache: evicted KiB", stack_->cache().stats().evicted_bytes / 1024);
  count("old metadata served", stack_->volume().stats().stale_served);
  stack_->close();
}

void RandomOps::restart_with_damage() {
  const auto lock = alone();
  close_stack();
  if (pick(2) == 0) damage_cache();
  faults_->set_faults(0);
  faulty_ = false;
  if (auto status = stack_->open(); !status.ok()) {
    return fail("open after restart: " + status.error().message);
  }
  restarted_ = true;
  count("restart");
}

void RandomOps::administer() {
  const std::shared_lock lock(alive_);
  switch (pick(8)) {
    case 0: {
      std::string path;
      {
        const std::lock_guard model_lock(model_mutex_);
        path = some_path(random_);
      }
      const auto freed = stack_->evict(path);
      if (!freed.ok() && freed.error().code != Code::not_found) {
        fail("evict " + path + ": " + freed.error().message);
      }
      return count("evict");
    }
    case 1: {
      const auto freed = stack_->cache().trim(pick(8'000'000));
      if (!freed.ok()) fail("trim: " + freed.error().message);
      return count("trim");
    }
    case 2: {
      const auto report = stack_->refresh();
      if (!report.ok()) fail("refresh: " + report.error().message);
      return count("refresh");
    }
    case 3: {
      const auto done = stack_->prefetch("keep");
      if (!done.ok() && !may_fail(done.error().code)) fail("prefetch: " + done.error().message);
      return count("prefetch");
    }
    case 4: {
      const bool on = faulty_.exchange(true);  // before the first fault; verify_all() ends it
      faults_->set_faults(on ? 0 : 30);
      return count("faults switched");
    }
    default:
      clock_.advance(milliseconds(pick(90'000)));
      return count("clock advanced");
  }
}

void RandomOps::verify_file(const Node& node, const std::string& path, std::uint64_t serial) {
  const auto file = stack_->open_file(node.attributes.id);
  if (!file.ok()) return fail("verify: open " + path + ": " + file.error().message);
  const std::uint64_t size = (*file)->size();
  const std::uint64_t offset = size == 0 ? 0 : pick(size);
  const auto bytes = stack_->read(**file, offset, 100'000);
  if (!bytes.ok()) return fail("verify: read " + path + ": " + bytes.error().message);
  if (bytes->size() != std::min<std::uint64_t>(100'000, size - offset)) {
    return fail("verify: short read of " + path);
  }
  if (first_difference(serial, offset, *bytes)) return fail("verify: wrong bytes in " + path);
  report_.bytes_checked += bytes->size();
}

void RandomOps::verify_directory(NodeId id, const std::string& path) {
  const auto listing = stack_->list(id);
  if (!listing.ok()) return fail("verify: list /" + path + ": " + listing.error().message);
  const auto all = items(**listing);
  if (!all.ok()) return fail("verify: read /" + path + ": " + all.error().message);
  std::vector<std::string> names;
  for (const auto& item : *all) names.push_back(item.name);
  if (names != model_.names_in(path)) return fail("verify: /" + path + " lists other names");
  for (const auto& name : names) {
    if (failed()) return;
    const std::string below = path.empty() ? name : path + "/" + name;
    const auto& expected = model_.nodes().at(below);
    const auto node = stack_->lookup(id, name);
    if (!node.ok()) return fail("verify: lookup " + below + ": " + node.error().message);
    const bool directory = node->attributes.type == NodeType::directory;
    if (directory != expected.directory) return fail("verify: type of " + below);
    if (directory) {
      verify_directory(node->attributes.id, below);
      continue;
    }
    const auto& version = model_.version(expected.serial);
    if (node->attributes.size != version.size || node->attributes.mtime_ns != version.mtime_ns) {
      return fail("verify: " + below + " shows another version");
    }
    check_id(node->attributes.id, below, version.serial);
    if (pick(3) == 0) verify_file(*node, below, version.serial);
  }
}

/// With the origin at rest and in order: all is as the model says. Half of the time after the TTL,
/// half after an explicit refresh.
void RandomOps::verify_all() {
  const auto lock = alone();
  const std::lock_guard model_lock(model_mutex_);
  faults_->set_faults(0);
  faulty_ = false;
  if (restarted_ || pick(2) == 0) {  // a refresh checks only what this life has used
    clock_.advance(kPastEverything);
    restarted_ = false;
  } else {
    const auto report = stack_->refresh();
    if (!report.ok()) return fail("verify: refresh: " + report.error().message);
    if (report->failures > 0) return fail("verify: refresh failed for a directory");
  }
  verify_directory(kRootNode, "");
  count("verified");
}

void RandomOps::round() {
  for (int i = 0; i < 40 && !failed(); ++i) {
    change_origin();
    if (pick(3) == 0) administer();
    if (pick(2) == 0) std::this_thread::yield();
  }
  if (!failed()) verify_all();
  if (!failed() && pick(4) == 0) restart_with_damage();
}

std::string RandomOps::some_path(std::mt19937_64& random) {
  return paths_[random() % paths_.size()];
}

/// A node that was shown: its version stood at that path once, and no later than a TTL ago.
void RandomOps::check_seen(const Node& node, const std::string& path) {
  if (node.attributes.type != NodeType::file) return;
  const std::lock_guard lock(model_mutex_);
  const Version* version = model_.by_mtime(node.attributes.mtime_ns);
  if (version == nullptr) return fail(path + ": a modification time that never was");
  if (version->size != node.attributes.size) return fail(path + ": size of another version");
  check_id(node.attributes.id, path, version->serial);
}

/// An id is one version; and a version that never left its name is one id.
void RandomOps::check_id(NodeId id, const std::string& path, std::uint64_t serial) {
  const auto by_id = serial_of_id_.emplace(id, serial).first;
  if (by_id->second != serial) return fail(path + ": one id for two versions");
  const auto node = model_.nodes().find(path);
  if (node == model_.nodes().end() || !node->second.permanent) return;
  const auto by_serial = id_of_serial_.emplace(serial, id).first;
  if (by_serial->second != id) fail(path + ": two ids for one version");
}

void RandomOps::look_up(std::mt19937_64& random, std::vector<Handle>& handles) {
  std::string path;
  bool permanent = false;
  {
    const std::lock_guard lock(model_mutex_);
    path = some_path(random);
    const auto it = model_.nodes().find(path);
    permanent = it != model_.nodes().end() && it->second.permanent;
  }
  const auto node = stack_->walk(path);
  count("lookup");
  if (!node.ok()) {
    if (node.error().code == Code::not_found || node.error().code == Code::not_directory) {
      if (permanent) fail("lookup " + path + ": an existing file is said not to exist");
      return;
    }
    if (!may_fail(node.error().code)) fail("lookup " + path + ": " + node.error().message);
    return;
  }
  check_seen(*node, path);
  if (node->attributes.type != NodeType::file || random() % 2 == 0) return;
  const auto file = stack_->open_file(node->attributes.id);
  count("open");
  if (!file.ok()) {
    if (!may_fail(file.error().code)) fail("open " + path + ": " + file.error().message);
    return;
  }
  std::uint64_t serial = 0;
  {
    const std::lock_guard lock(model_mutex_);
    serial = serial_of_id_.at(node->attributes.id);
  }
  handles.push_back({*file, serial, node->attributes.size});
  if ((*file)->size() != node->attributes.size) fail("open " + path + ": another size");
  if (handles.size() > 8) handles.erase(handles.begin() + static_cast<int>(random() % 8));
}

void RandomOps::list_one(std::mt19937_64& random) {
  std::string path;
  {
    const std::lock_guard lock(model_mutex_);
    path = some_path(random);
  }
  const auto node = stack_->walk(path);
  if (!node.ok() || node->attributes.type != NodeType::directory) return;
  const auto listing = stack_->list(node->attributes.id);
  count("list");
  if (!listing.ok()) {
    if (!may_fail(listing.error().code)) fail("list " + path + ": " + listing.error().message);
    return;
  }
  const auto all = items(**listing);
  if (!all.ok()) return fail("read /" + path + ": " + all.error().message);
  for (const auto& item : *all) {
    if (item.node) check_seen(*item.node, path + "/" + item.name);
  }
}

void RandomOps::read_handle(std::mt19937_64& random, const Handle& handle) {
  const std::uint64_t offset = random() % (handle.size + 10);
  const std::size_t size = 1 + random() % (random() % 4 == 0 ? 600'000 : 9'000);
  const auto bytes = stack_->read(*handle.file, offset, size);
  count("read");
  if (!bytes.ok()) {
    const bool stale = bytes.error().code == Code::stale;
    if (stale) {
      const std::lock_guard lock(model_mutex_);
      const auto& version = model_.version(handle.serial);
      const auto at = model_.nodes().find(version.path);
      const bool lives = at != model_.nodes().end() && at->second.serial == handle.serial;
      count("read: stale");
      // A rename takes the version from the path that the handle reads from; only what never moved
      // is certain to be there.
      if (lives && at->second.permanent) fail("read " + version.path + ": stale, but it is there");
      return;
    }
    if (!may_fail(bytes.error().code)) fail("read: " + bytes.error().message);
    count("read: failed");
    return;
  }
  const std::uint64_t expected =
      offset >= handle.size ? 0 : std::min<std::uint64_t>(size, handle.size - offset);
  if (bytes->size() != expected) {
    return fail("read: " + std::to_string(bytes->size()) + " bytes instead of " +
                std::to_string(expected));
  }
  if (const auto at = first_difference(handle.serial, offset, *bytes)) {
    return fail("read: wrong byte at " + std::to_string(*at) + " of version " +
                std::to_string(handle.serial));
  }
  const std::lock_guard lock(report_mutex_);
  report_.bytes_checked += bytes->size();
}

void RandomOps::read_something(std::mt19937_64& random, std::vector<Handle>& handles) {
  switch (random() % 6) {
    case 0:
      return look_up(random, handles);
    case 1:
      return list_one(random);
    default:
      if (handles.empty()) return look_up(random, handles);
      return read_handle(random, handles[random() % handles.size()]);
  }
}

void RandomOps::reader(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  while (!stop_ && !failed()) {
    standing_back_.wait(true);
    std::vector<Handle> handles;  // closed before the lock goes: a restart needs them closed
    const std::shared_lock lock(alive_);
    const std::uint64_t operations = 1 + random() % 60;
    for (std::uint64_t i = 0; i < operations && !standing_back_ && !failed(); ++i) {
      read_something(random, handles);
    }
    handles.clear();
  }
}

RandomOpsReport RandomOps::run() {
  populate();
  model::MountOptions mount;
  mount.metadata_ttl = kTtl;
  mount.io_timeout = milliseconds(30'000);
  mount.io_retries = 3;
  mount.cache_size = 24ULL << 20;
  stack_ = std::make_unique<Stack>(dir_ / "cache", faults_, clock_, mount);
  if (auto status = stack_->open(); !status.ok()) {
    fail("open: " + status.error().message);
    return report_;
  }
  std::vector<std::thread> readers;
  for (unsigned i = 0; i < options_.readers; ++i) {
    readers.emplace_back([this, i] { reader(options_.seed * 1000 + i); });
  }
  const auto until = std::chrono::steady_clock::now() + options_.duration;
  for (std::uint64_t i = 0;
       !failed() && (i < options_.rounds || std::chrono::steady_clock::now() < until); ++i) {
    round();
  }
  stop_ = true;
  for (auto& thread : readers) thread.join();
  report_.counts["injected faults"] = faults_->injected();
  close_stack();
  return report_;
}

}  // namespace

RandomOpsReport run_random_ops(const std::filesystem::path& dir, const RandomOpsOptions& options) {
  RandomOps ops(dir, options);
  return ops.run();
}

}  // namespace lazyvol::testing
