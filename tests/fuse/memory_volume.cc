#include "fuse/memory_volume.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <stop_token>
#include <thread>

namespace lazyvol::testing {
namespace {

constexpr std::chrono::milliseconds kTtl = std::chrono::hours(1);

class MemoryFile final : public File {
 public:
  MemoryFile(std::shared_ptr<MemoryVolume> volume, std::string name,
             std::shared_ptr<const std::string> bytes)
      : volume_(std::move(volume)), name_(std::move(name)), bytes_(std::move(bytes)) {}
  std::uint64_t size() const override { return bytes_->size(); }
  bool keep_cache() const override { return true; }
  void read(std::uint64_t offset, std::span<std::byte> out, RequestContext ctx,
            ReadDone done) override {
    volume_->read(name_, bytes_, offset, out, ctx, std::move(done));
  }
  std::unique_ptr<LocalFile> local() override { return volume_->lend(name_); }

 private:
  std::shared_ptr<MemoryVolume> volume_;
  std::string name_;
  std::shared_ptr<const std::string> bytes_;
};

class MemoryDirectory final : public Directory,
                              public std::enable_shared_from_this<MemoryDirectory> {
 public:
  struct Row {
    std::string name;
    Node node;
    bool plus;
  };
  using Until = std::optional<std::chrono::steady_clock::time_point>;
  MemoryDirectory(std::vector<Row> rows, Until until) : rows_(std::move(rows)), until_(until) {}
  Until good_until() const override { return until_; }
  NodeId id() const override { return kRootNode; }
  NodeId parent() const override { return kRootNode; }
  /// From another thread, a few items at a time, as a directory that lies at an origin.
  void read(std::uint64_t position, RequestContext, Visit visit,
            std::function<void(Status)> done) override {
    constexpr std::uint64_t kAtOnce = 100;
    std::thread([self = shared_from_this(), this, position, visit = std::move(visit),
                 done = std::move(done)] {
      const std::uint64_t end = std::min<std::uint64_t>(rows_.size(), position + kAtOnce);
      for (std::uint64_t i = position; i < end && visit(item(rows_[i])); ++i) {
      }
      done({});
    }).detach();
  }

 private:
  static Item item(const Row& row) {
    Item item{row.name, row.node.attributes.id, row.node.attributes.type, std::nullopt};
    if (row.plus) item.node = row.node;
    return item;
  }
  std::vector<Row> rows_;
  Until until_;
};

}  // namespace

Node MemoryVolume::node_of(const Entry& entry) {
  Node node;
  node.attributes = {entry.id, entry.type, 0644, getuid(), getgid(), 1, entry.bytes->size(), 0};
  node.entry_ttl = node.attribute_ttl = kTtl;
  return node;
}

Node MemoryVolume::root() {
  Node node;
  node.attributes = {kRootNode, NodeType::directory, 0755, getuid(), getgid(), 2, 0, 0};
  node.entry_ttl = node.attribute_ttl = kTtl;
  return node;
}

void MemoryVolume::add_file(const std::string& name, std::string bytes) {
  auto state = state_.lock();
  state->entries[name] = {state->next++, NodeType::file,
                          std::make_shared<const std::string>(std::move(bytes))};
}

void MemoryVolume::add_symlink(const std::string& name, std::string target) {
  auto state = state_.lock();
  state->entries[name] = {state->next++, NodeType::symlink,
                          std::make_shared<const std::string>(std::move(target))};
}

void MemoryVolume::replace_file(const std::string& name, std::string bytes) {
  add_file(name, std::move(bytes));
  auto state = state_.lock();
  if (state->listener != nullptr) state->listener->entry_changed(kRootNode, name);
}

void MemoryVolume::hold_reads(const std::string& name) {
  state_.lock()->held_name = name;
}

void MemoryVolume::release_reads() {
  std::vector<Held> released;
  {
    auto state = state_.lock();
    state->held_name.clear();
    released.swap(state->held);
  }
  for (auto& held : released) held.finish(false);
}

void MemoryVolume::wait_for_held(std::size_t count) {
  auto state = state_.lock();
  changed_.wait(state.native(), [&] { return state->held.size() >= count; });
}

void MemoryVolume::fail_reads(Code code) {
  state_.lock()->failure = code;
}

std::size_t MemoryVolume::reads() const {
  return state_.lock()->reads;
}

std::size_t MemoryVolume::opens() const {
  return state_.lock()->opens;
}

void MemoryVolume::set_listing_ttl(std::chrono::milliseconds ttl) {
  state_.lock()->listing_ttl = ttl;
}

std::size_t MemoryVolume::listings() const {
  return state_.lock()->listings;
}

void MemoryVolume::set_local(const std::string& name, const std::string& path) {
  state_.lock()->local[name] = path;
}

std::size_t MemoryVolume::loans() const {
  return static_cast<std::size_t>(state_.lock()->loans.use_count()) - 1;
}

std::unique_ptr<LocalFile> MemoryVolume::lend(const std::string& name) {
  auto state = state_.lock();
  const auto path = state->local.find(name);
  if (path == state->local.end()) return nullptr;
  return std::make_unique<LocalFile>(::open(path->second.c_str(), O_RDONLY | O_CLOEXEC),
                                     state->loans);
}

void MemoryVolume::lookup(NodeId parent, std::string name, RequestContext, Done<Node> done) {
  Result<Node> answer = Error{Code::not_found, name};
  {
    auto state = state_.lock();
    auto it = state->entries.find(name);
    if (parent == kRootNode && it != state->entries.end()) answer = node_of(it->second);
  }
  done(std::move(answer));
}

void MemoryVolume::attributes(NodeId id, RequestContext, Done<Node> done) {
  Result<Node> answer = Error{Code::stale, "no such node"};
  if (id == kRootNode) answer = root();
  {
    auto state = state_.lock();
    for (const auto& [name, entry] : state->entries) {
      if (entry.id == id) answer = node_of(entry);
    }
  }
  done(std::move(answer));
}

void MemoryVolume::readlink(NodeId id, RequestContext, Done<std::string> done) {
  Result<std::string> answer = Error{Code::stale, "no such node"};
  {
    auto state = state_.lock();
    for (const auto& [name, entry] : state->entries) {
      if (entry.id == id) answer = *entry.bytes;
    }
  }
  done(std::move(answer));
}

void MemoryVolume::xattrs(NodeId id, RequestContext, Done<std::vector<Xattr>> done) {
  Result<std::vector<Xattr>> answer = std::vector<Xattr>();
  {
    auto state = state_.lock();
    ++state->xattr_questions;
    if (!state->xattrs) {
      answer = Error{Code::unsupported, "none at all"};
    } else if (const auto it = state->xattrs->find(id); it != state->xattrs->end()) {
      answer = it->second;
    }
  }
  done(std::move(answer));
}

void MemoryVolume::set_xattrs(const std::string& name, std::vector<Xattr> xattrs) {
  auto state = state_.lock();
  if (!state->xattrs) state->xattrs.emplace();
  (*state->xattrs)[state->entries.at(name).id] = std::move(xattrs);
}

std::size_t MemoryVolume::xattr_questions() const {
  return state_.lock()->xattr_questions;
}

void MemoryVolume::open_directory(NodeId id, RequestContext,
                                  Done<std::shared_ptr<Directory>> done) {
  if (id != kRootNode) return done(Error{Code::not_directory, "not a directory"});
  std::vector<MemoryDirectory::Row> rows;
  MemoryDirectory::Until until;
  {
    auto state = state_.lock();
    ++state->listings;
    if (state->listing_ttl) until = std::chrono::steady_clock::now() + *state->listing_ttl;
    for (const auto& [name, entry] : state->entries) {
      // Every second one without attributes: the kernel must then look it up by itself.
      rows.push_back({name, node_of(entry), rows.size() % 2 == 0});
    }
  }
  done(std::shared_ptr<Directory>(std::make_shared<MemoryDirectory>(std::move(rows), until)));
}

void MemoryVolume::open_file(NodeId id, RequestContext, Done<std::shared_ptr<File>> done) {
  Result<std::shared_ptr<File>> answer = Error{Code::stale, "no such node"};
  {
    auto state = state_.lock();
    ++state->opens;
    for (const auto& [name, entry] : state->entries) {
      if (entry.id != id) continue;
      answer = std::shared_ptr<File>(
          std::make_shared<MemoryFile>(shared_from_this(), name, entry.bytes));
    }
  }
  done(std::move(answer));
}

void MemoryVolume::parent_of(NodeId, RequestContext, Done<Node> done) {
  done(root());
}
void MemoryVolume::refresh(RequestContext, Done<RefreshReport> done) {
  done(RefreshReport{});
}
void MemoryVolume::evict(std::string, Done<std::uint64_t> done) {
  done(std::uint64_t{0});
}
void MemoryVolume::prefetch(std::string, RequestContext,
                            std::function<void(const PrefetchProgress&)>,
                            Done<PrefetchProgress> done) {
  done(PrefetchProgress{});
}

void MemoryVolume::listen(ChangeListener* listener) {
  state_.lock()->listener = listener;
}

void MemoryVolume::read(const std::string& name, const std::shared_ptr<const std::string>& bytes,
                        std::uint64_t offset, std::span<std::byte> out, const RequestContext& ctx,
                        File::ReadDone done) {
  auto finish = [bytes, offset, out, done](bool cancelled) {
    if (cancelled) return done(Error{Code::cancelled, "interrupted"});
    const std::size_t begin = std::min<std::size_t>(offset, bytes->size());
    const std::size_t length = std::min(out.size(), bytes->size() - begin);
    std::memcpy(out.data(), bytes->data() + begin, length);
    done(length);
  };
  std::optional<Code> failure;
  {
    auto state = state_.lock();
    ++state->reads;
    failure = state->failure;
    if (!failure && state->held_name == name) {
      state->held.push_back({ctx.stop, finish});
      changed_.notify_all();
      state.unlock();
      // A thread per held read waits for its cancellation.
      std::thread([self = shared_from_this(), stop = ctx.stop] {
        std::stop_callback wake(stop, [&] {
          const auto guard = self->state_.lock();  // so that the wake-up is not lost
          self->changed_.notify_all();
        });
        std::vector<Held> cancelled;
        {
          auto waiting = self->state_.lock();
          self->changed_.wait(waiting.native(),
                              [&] { return stop.stop_requested() || waiting->held.empty(); });
          std::erase_if(waiting->held, [&](Held& held) {
            if (!held.stop.stop_requested()) return false;
            cancelled.push_back(std::move(held));
            return true;
          });
        }
        for (auto& held : cancelled) held.finish(true);
      }).detach();
      return;
    }
  }
  if (failure) return done(Error{*failure, "planted"});
  finish(false);
}

}  // namespace lazyvol::testing
