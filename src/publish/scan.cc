#include "publish/scan.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <memory>
#include <unordered_map>
#include <utility>

#include "base/locked.h"
#include "base/workers.h"

namespace lazyvol::publish {
namespace {

// One directory as it was read; numbers in `nodes` count from its own beginning.
struct Listed {
  std::string path;
  std::vector<Node> nodes;
  std::string names;
  std::vector<Extra> extras;
  std::vector<std::pair<std::size_t, std::unique_ptr<Listed>>> directories;  // by number of node
};

struct CloseDir {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

std::string joined(const std::string& directory, std::string_view name) {
  return directory.empty() ? std::string(name) : directory + "/" + std::string(name);
}

std::string_view kind_of(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFSOCK:
      return "a socket";
    case S_IFIFO:
      return "a fifo";
    case S_IFCHR:
    case S_IFBLK:
      return "a device";
    default:
      return "of an unknown kind";
  }
}

Result<std::string> read_link(const Fd& directory, const std::string& name,
                              const std::string& path) {
  std::string target(kMaxPath + 1, '\0');
  const ssize_t length = ::readlinkat(directory.get(), name.c_str(), target.data(), target.size());
  if (length < 0) return errno_error(errno, "read the link " + path);
  if (static_cast<std::size_t>(length) > kMaxPath) {
    return Error{Code::name_too_long, path + " is a link to more than 4095 bytes"};
  }
  target.resize(static_cast<std::size_t>(length));
  return target;
}

// Makes `directory` the present one of this thread alone, for calls that take no descriptor: three
// times as fast as a path through /proc. False where that is forbidden (some containers).
bool enter(const Fd& directory) {
  thread_local const bool is_own = ::unshare(CLONE_FS) == 0;
  return is_own && ::fchdir(directory.get()) == 0;
}

class Scanner {
 public:
  Scanner(const ScanSettings& settings, Progress& progress)
      : settings_(settings), progress_(progress) {}

  Result<Scan> run() {
    LAZYVOL_TRY(open_root());
    auto top = std::make_unique<Listed>();
    state_.lock()->waiting.push_back(top.get());
    {
      base::Workers workers("lv-scan", settings_.threads);
      for (unsigned i = 0; i < settings_.threads; ++i) workers.submit([this] { work(); });
      wait();
    }
    auto state = state_.lock();
    if (state->failure) return *std::move(state->failure);
    std::sort(state->left_out.begin(), state->left_out.end());
    if (state->left_out.size() > settings_.left_out) state->left_out.resize(settings_.left_out);
    return Scan{std::move(root_), flatten(std::move(top)), std::move(state->left_out),
                state->left_out_total};
  }

 private:
  struct State {
    std::vector<Listed*> waiting;  // the newest first: keeps it short
    unsigned busy = 0;
    std::optional<Error> failure;
    std::vector<std::string> left_out;
    std::uint64_t left_out_total = 0;
  };

  Status open_root() {
    const std::string path = settings_.root.string();
    root_ = Fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (root_.get() < 0) return errno_error(errno, path);
    if (::access(proc_path(root_).c_str(), F_OK) != 0) {
      return Error{Code::unsupported, "/proc is not mounted: extended attributes cannot be read"};
    }
    struct stat status {};
    if (::fstat(root_.get(), &status) != 0) return errno_error(errno, path);
    root_node_ = describe(status);
    return check_place(root_node_.stamp.inode, path);
  }

  Status check_place(const Inode& inode, const std::string& path) const {
    if (settings_.store != inode) return {};
    return Error{Code::invalid_argument,
                 path + " is the volume that is published to; it cannot lie in the tree"};
  }

  void wait() {
    auto state = state_.lock();
    while (state->busy > 0 || (!state->waiting.empty() && !state->failure)) {
      changed_.wait_for(state.native(), Progress::kInterval);
      state.unlock();
      progress_.tick();
      state = state_.lock();
      const Status status = progress_.check();
      if (!status.ok() && !state->failure) state->failure = status.error();
    }
    done_ = true;
    changed_.notify_all();
  }

  void work() {
    auto state = state_.lock();
    while (true) {
      changed_.wait(state.native(), [&] { return done_ || !state->waiting.empty(); });
      if (state->failure) state->waiting.clear();
      if (state->waiting.empty()) {
        if (done_) return;
        continue;
      }
      Listed* const next = state->waiting.back();
      state->waiting.pop_back();
      ++state->busy;
      state.unlock();
      const Status status = list(*next);
      state = state_.lock();
      --state->busy;
      if (!status.ok() && !state->failure) state->failure = status.error();
      for (auto& [number, directory] : next->directories) {
        state->waiting.push_back(directory.get());
      }
      changed_.notify_all();
    }
  }

  Status list(Listed& out) {
    auto opened = open_below(root_, out.path, O_RDONLY | O_DIRECTORY);
    if (!opened.ok()) {
      if (opened.error().code == Code::not_found) return {};  // it went: shown empty
      return opened.error().in(settings_.root.string());
    }
    const Fd directory = *std::move(opened);
    LAZYVOL_TRY_ASSIGN(const std::vector<std::string> names, names_in(directory, out.path));
    out.nodes.reserve(names.size());
    const std::string prefix = enter(directory) ? "" : proc_path(directory) + "/";
    for (const std::string& name : names) {
      LAZYVOL_TRY(progress_.check());
      LAZYVOL_TRY(add(out, directory, prefix, name));
    }
    out.nodes.shrink_to_fit();
    return {};
  }

  static Result<std::vector<std::string>> names_in(const Fd& directory, const std::string& path) {
    const int copy = ::fcntl(directory.get(), F_DUPFD_CLOEXEC, 0);
    const std::unique_ptr<DIR, CloseDir> stream(copy < 0 ? nullptr : ::fdopendir(copy));
    if (stream == nullptr) return errno_error(errno, "list " + path);
    std::vector<std::string> names;
    while (true) {
      errno = 0;
      const dirent* entry = ::readdir(stream.get());  // NOLINT: a stream of our own
      if (entry == nullptr) break;
      if (valid_name(entry->d_name)) names.emplace_back(entry->d_name);
    }
    if (errno != 0) return errno_error(errno, "list " + path);
    std::sort(names.begin(), names.end());
    return names;
  }

  // `prefix` and the name are a path.
  Status add(Listed& out, const Fd& directory, const std::string& prefix, const std::string& name) {
    struct stat status {};
    if (::fstatat(directory.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) return {};
      return errno_error(errno, "stat " + joined(out.path, name));
    }
    Node node = describe(status);
    const bool is_file = S_ISREG(status.st_mode), is_link = S_ISLNK(status.st_mode);
    if (!is_file && !is_link && !S_ISDIR(status.st_mode)) {
      leave_out(joined(out.path, name) + ": " + std::string(kind_of(status.st_mode)));
      return {};
    }
    if (settings_.state == node.stamp.inode) {
      leave_out(joined(out.path, name) + ": what the publisher remembers");
      return {};
    }
    LAZYVOL_TRY(check_place(node.stamp.inode, joined(out.path, name)));
    Extra extra;
    if (is_link) {
      LAZYVOL_TRY_ASSIGN(extra.target, read_link(directory, name, joined(out.path, name)));
      node.stamp.size = extra.target.size();
    } else {
      auto xattrs = read_xattrs(prefix + name, false, joined(out.path, name));
      if (!xattrs.ok() && xattrs.error().code == Code::not_found) return {};
      LAZYVOL_TRY_ASSIGN(extra.xattrs, std::move(xattrs));
    }
    if (is_link || !extra.xattrs.empty()) {
      out.extras.push_back(std::move(extra));
      node.extra = static_cast<std::uint32_t>(out.extras.size());
    }
    node.name_at = out.names.size();
    node.name_length = static_cast<std::uint8_t>(name.size());
    out.names += name;
    descend(out, node, name);
    progress_.files_found.fetch_add(is_file ? 1 : 0, std::memory_order_relaxed);
    progress_.bytes_found.fetch_add(is_file ? node.stamp.size : 0, std::memory_order_relaxed);
    out.nodes.push_back(node);
    return {};
  }

  void descend(Listed& out, const Node& node, const std::string& name) const {
    if (node.type != NodeType::directory) return;
    if (settings_.one_file_system && node.stamp.inode.dev != root_node_.stamp.inode.dev) return;
    auto below = std::make_unique<Listed>();
    below->path = joined(out.path, name);
    out.directories.emplace_back(out.nodes.size(), std::move(below));
  }

  static Node describe(const struct stat& status) {
    Node node;
    node.stamp = stamp_of(status);
    node.mode = status.st_mode & 07777U;
    node.uid = status.st_uid;
    node.gid = status.st_gid;
    node.nlink = static_cast<std::uint32_t>(status.st_nlink);
    node.type = S_ISDIR(status.st_mode)   ? NodeType::directory
                : S_ISLNK(status.st_mode) ? NodeType::symlink
                                          : NodeType::file;
    if (node.type == NodeType::directory) node.stamp.size = 0;
    return node;
  }

  void leave_out(std::string line) {
    auto state = state_.lock();
    ++state->left_out_total;
    // Which of very many are told would depend on the threads, if not all were kept until the end.
    constexpr std::size_t kKept = 10'000;
    if (state->left_out.size() < kKept) state->left_out.push_back(std::move(line));
  }

  // Breadth first, freeing what was read as it goes.
  Tree flatten(std::unique_ptr<Listed> top) {
    Tree tree;
    tree.nodes.push_back(root_node_);
    std::vector<std::pair<std::uint32_t, std::unique_ptr<Listed>>> level, below;
    level.emplace_back(0, std::move(top));
    while (!level.empty()) {
      for (auto& [number, listed] : level) {
        const auto first = static_cast<std::uint32_t>(tree.nodes.size());
        Node& directory = tree.nodes[number];
        directory.first_child = first;
        directory.children = static_cast<std::uint32_t>(listed->nodes.size());
        directory.nlink = 2;
        for (Node& node : listed->nodes) {
          node.parent = number;
          node.name_at += tree.names.size();
          if (node.extra != 0) node.extra += static_cast<std::uint32_t>(tree.extras.size());
          if (node.type == NodeType::directory) {
            node.nlink = 2;
            ++directory.nlink;
          }
        }
        tree.nodes.insert(tree.nodes.end(), listed->nodes.begin(), listed->nodes.end());
        tree.names += listed->names;
        std::move(listed->extras.begin(), listed->extras.end(), std::back_inserter(tree.extras));
        for (auto& [child, lower] : listed->directories) {
          below.emplace_back(first + static_cast<std::uint32_t>(child), std::move(lower));
        }
        listed.reset();
      }
      level = std::exchange(below, {});
    }
    return tree;
  }

  const ScanSettings& settings_;
  Progress& progress_;
  Fd root_{-1};
  Node root_node_;
  std::atomic<bool> done_ = false;
  base::Locked<State> state_;
  std::condition_variable changed_;
};

struct InodeHash {
  std::size_t operator()(const Inode& inode) const noexcept {
    return static_cast<std::size_t>((inode.ino ^ (inode.dev << 40)) * 0x9e3779b97f4a7c15ULL);
  }
};

// Names of one inode become a group; link counts become those of the tree.
void find_groups(Tree& tree) {
  std::unordered_map<Inode, std::uint32_t, InodeHash> first;
  for (std::uint32_t number = 1; number < tree.nodes.size(); ++number) {
    Node& node = tree.nodes[number];
    if (node.type == NodeType::directory || node.nlink < 2) continue;
    node.nlink = 1;
    const auto [found, is_new] = first.emplace(node.stamp.inode, number);
    if (is_new) continue;
    Node& leader = tree.nodes[found->second];
    if (leader.type != node.type) continue;  // the number was given again while we looked
    if (leader.group == 0) {
      tree.groups.push_back(found->second);
      leader.group = static_cast<std::uint32_t>(tree.groups.size());
    }
    node.group = leader.group;
    node.fate = Fate::linked;
    ++leader.nlink;
  }
}

}  // namespace

Result<Scan> scan_tree(const ScanSettings& settings, Progress& progress) {
  LAZYVOL_TRY_ASSIGN(Scan scan, Scanner(settings, progress).run());
  if (scan.tree.nodes.size() > UINT32_MAX / 2) {
    return Error{Code::too_large, settings.root.string() + " has more than 2 billion names"};
  }
  find_groups(scan.tree);
  return scan;
}

}  // namespace lazyvol::publish
