#include "git/mirror.h"

#include <fmt/core.h>

#include <sstream>
#include <system_error>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "git/fetch_all.h"
#include "git/files.h"
#include "git/git_error.h"
#include "git/object_id.h"
#include "git/submodules.h"
#include "git/upload_pack.h"
#include "source/paths.h"

namespace lazyvol::git {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxState = 4096;
// Commits that were shown before leave their trees behind: when so many packs have gathered, the
// present one is fetched into a new repository.
constexpr std::size_t kMaxTreePacks = 60;

}  // namespace

/// A commit whose tree is shown somewhere.
struct Mirror::Tree {
  std::string commit, url;
  std::uint16_t remote = 0;
  Snapshot::Number base = Snapshot::kRoot;
  unsigned depth = 0;
};

Mirror::Mirror(Settings settings, std::shared_ptr<Access> access)
    : settings_(std::move(settings)), access_(std::move(access)) {}

Mirror::~Mirror() = default;

Result<std::unique_ptr<Mirror>> Mirror::open(Settings settings, std::shared_ptr<Access> access) {
  auto mirror = std::unique_ptr<Mirror>(new Mirror(std::move(settings), std::move(access)));
  const fs::path& dir = mirror->settings_.directory;
  LAZYVOL_TRY(make_private_directory(dir));
  LAZYVOL_TRY(make_local_repository(dir / "local.git", "sha1"));
  LAZYVOL_TRY(mirror->open_repository());
  if (mirror->object_format_ != "sha1") {
    LAZYVOL_TRY(make_local_repository(dir / "local.git", mirror->object_format_));
  }
  LAZYVOL_TRY(mirror->open_remotes());
  LAZYVOL_TRY(mirror->open_lfs_urls());
  LAZYVOL_TRY_ASSIGN(mirror->volume_, LocalVolume::open(dir / "volume"));
  return mirror;
}

Status Mirror::open_repository() {
  const fs::path path = settings_.directory / "repo.git";
  if (const auto config = read_file(path / "config", 1 << 20); config.ok()) {
    if (config->find("objectFormat = sha256") != std::string::npos) object_format_ = "sha256";
  } else {
    const Patience patience{settings_.io_timeout, {}, {}};
    LAZYVOL_TRY_ASSIGN(
        const auto server,
        UploadPack::connect(*access_, settings_.directory / "local.git", access_->url(), patience));
    object_format_ = server->capabilities().object_format;
    if (object_format_ != "sha1" && object_format_ != "sha256") {
      return Error{Code::unsupported, "the git repository has hashes of an unknown kind"};
    }
  }
  LAZYVOL_TRY_ASSIGN(repository_, Repository::open(path, access_, object_format_));
  return {};
}

Command Mirror::reading(const std::vector<std::string>& words) const {
  const fs::path& dir = settings_.directory;
  return local_command(dir / "local.git", dir / "blobs.git/objects", dir / "repo.git/objects",
                       words);
}

Command Mirror::cat_file() const {
  return reading({"cat-file", "--batch-command"});
}

Result<std::unique_ptr<Repository>> Mirror::open_blobs() const {
  return Repository::open(settings_.directory / "blobs.git", access_, object_format_);
}

std::optional<Mirror::State> Mirror::read_state() const {
  const auto text = read_file(settings_.directory / "state", kMaxState);
  if (!text.ok()) return std::nullopt;
  State state;
  std::istringstream words(*text);
  if (!(words >> state.tip >> state.commit >> state.head)) return std::nullopt;
  return state;
}

Status Mirror::write_state(const State& state) const {
  return replace_file(settings_.directory / "state",
                      state.tip + "\n" + state.commit + "\n" + state.head + "\n", 0600);
}

Result<ShownCommit> Mirror::update(BlobFetcher& fetcher, BlobReader& reader,
                                   const Patience& patience) {
  for (std::size_t remote = 1; remote < remotes_.size(); ++remote) {
    fetcher.set_remote(static_cast<std::uint16_t>(remote), remotes_[remote]);
  }
  LAZYVOL_TRY_ASSIGN(const RemoteRef tip, repository_->look(settings_.ref, patience));
  std::optional<StoredHead> head = volume_->head();
  std::optional<State> state = read_state();
  if (state && (!head || state->head != head->document.digest.hex())) state.reset();
  if (state && state->tip == tip.id) return ShownCommit{*std::move(head), state->commit};

  LAZYVOL_TRY_ASSIGN(Commit commit, fetch(tip.name, patience));
  if (!state || state->commit != commit.id) {
    std::vector<TreeRange> trees;
    const Helpers helpers{fetcher, reader, patience, trees};
    LAZYVOL_TRY_ASSIGN(const Snapshot snapshot, snapshot_of(commit, tip.name, helpers));
    LAZYVOL_TRY_ASSIGN(head, make_head(commit, snapshot, helpers));
  }
  LAZYVOL_TRY(write_state({tip.id, commit.id, head->document.digest.hex()}));
  return ShownCommit{*std::move(head), commit.id};
}

Result<Commit> Mirror::fetch(const std::string& ref, const Patience& patience) {
  if (repository_->packs().count < kMaxTreePacks) {
    return repository_->fetch_commit(0, ref, patience);
  }
  // The old one stays until the new one is whole.
  const fs::path path = repository_->directory();
  const fs::path fresh = settings_.directory / "repo.git.new";
  std::error_code failure;
  fs::remove_all(fresh, failure);
  LAZYVOL_TRY_ASSIGN(auto repository, Repository::open(fresh, access_, object_format_));
  LAZYVOL_TRY_ASSIGN(Commit commit, repository->fetch_commit(0, ref, patience));
  repository.reset();
  fs::remove_all(path, failure);
  fs::rename(fresh, path, failure);
  LAZYVOL_TRY_ASSIGN(repository_, Repository::open(path, access_, object_format_));
  return commit;
}

Status Mirror::list(const std::string& commit, TreeRowReader& rows,
                    const Patience& patience) const {
  const Command command = local_command(settings_.directory / "local.git", repository_->objects(),
                                        {}, {"ls-tree", "-r", "-t", "-z", "--full-tree", commit});
  LAZYVOL_TRY_ASSIGN(
      const Finished finished,
      run(command, {}, patience, 0, [&](std::string_view bytes) { return rows.add(bytes); }));
  if (finished.status != 0) return git_error("git ls-tree", finished.errors);
  return rows.finish();
}

/// Trees that cannot be read though they were fetched are damage of the disk: they are fetched once
/// more into a new repository.
Result<Snapshot> Mirror::snapshot_of(const Commit& commit, const std::string& ref,
                                     const Helpers& helpers) {
  TreeRowReader nothing([](const TreeRow&) { return Status(); });
  const Status status = list(commit.id, nothing, helpers.patience);
  const bool damaged = !status.ok() && status.error().code != Code::cancelled &&
                       status.error().code != Code::timed_out;
  if (!status.ok() && !damaged) return status.error();
  if (damaged) {
    base::log_warn("{}: {}: fetched anew", repository_->directory().string(),
                   status.error().message);
    std::error_code failure;
    fs::remove_all(repository_->directory(), failure);
    LAZYVOL_TRY_ASSIGN(repository_,
                       Repository::open(settings_.directory / "repo.git", access_, object_format_));
    LAZYVOL_TRY_ASSIGN(const Commit again, repository_->fetch_commit(0, ref, helpers.patience));
    if (again.id != commit.id) return Error{Code::stale, "the ref moved meanwhile"};
  }
  Snapshot snapshot;
  LAZYVOL_TRY(add_tree(snapshot, {commit.id, access_->url(), 0, Snapshot::kRoot, 0}, helpers));
  snapshot.finish();
  return snapshot;
}

Status Mirror::add_tree(Snapshot& snapshot, const Tree& tree, const Helpers& helpers) {
  std::string gitmodules;
  std::vector<std::pair<std::string, Snapshot::Number>> links;
  TreeRowReader rows([&](const TreeRow& row) -> Status {
    const std::size_t before = snapshot.submodules().size();
    LAZYVOL_TRY(snapshot.add(tree.base, tree.remote, row));
    if (row.path == ".gitmodules" && row.type == RowType::file) gitmodules = row.id;
    if (snapshot.submodules().size() > before) {
      links.emplace_back(row.path, snapshot.submodules().back());
    }
    return {};
  });
  const auto begin = static_cast<Snapshot::Number>(snapshot.size());
  LAZYVOL_TRY(list(tree.commit, rows, helpers.patience));
  helpers.trees.push_back({tree.base, begin, static_cast<Snapshot::Number>(snapshot.size())});
  if (!settings_.submodules || gitmodules.empty() || links.empty() ||
      tree.depth == kMaxSubmoduleDepth) {
    return {};
  }
  return add_submodules(snapshot, tree, gitmodules, links, helpers);
}

/// A submodule that cannot be had is an empty directory and a line in the log, unless another try
/// may have it.
Status Mirror::add_submodules(Snapshot& snapshot, const Tree& tree, const std::string& gitmodules,
                              const std::vector<std::pair<std::string, Snapshot::Number>>& links,
                              const Helpers& helpers) {
  LAZYVOL_TRY(fetch_all(helpers.fetcher, {object_name(tree.remote, gitmodules)}));
  LAZYVOL_TRY_ASSIGN(const std::string text, helpers.reader.read(gitmodules, kMaxGitmodules));
  const Command command =
      local_command(settings_.directory / "local.git", repository_->objects(), {},
                    {"config", "-f", "-", "-z", "--get-regexp", "^submodule\\..*\\.(path|url)$"});
  LAZYVOL_TRY_ASSIGN(const Finished parsed, run(command, text, helpers.patience, 4 * text.size()));
  const auto urls = parse_gitmodules(parsed.output);
  for (const auto& [path, number] : links) {
    if (snapshot.submodules().size() > kMaxSubmodules) {
      return Error{Code::too_large, "the commit has too many submodules"};
    }
    const auto url = urls.find(path);
    const auto full =
        url == urls.end()
            ? Result<std::string>(Error{Code::invalid_argument, ".gitmodules has no URL"})
            : submodule_url(tree.url, url->second);
    Status status = full.ok() ? Status() : Status(full.error());
    const std::string id(snapshot.id(number));
    std::uint16_t remote = 0;
    if (status.ok()) {
      LAZYVOL_TRY_ASSIGN(remote, remote_of(*full, helpers.fetcher));
      LAZYVOL_TRY(repository_->set_remote(remote, *full));
      TreeRowReader nothing([](const TreeRow&) { return Status(); });
      if (!list(id, nothing, helpers.patience).ok()) {
        const auto fetched = repository_->fetch_commit(remote, id, helpers.patience);
        if (!fetched.ok()) status = fetched.error();
      }
    }
    if (status.ok()) {
      LAZYVOL_TRY(add_tree(snapshot, {id, *full, remote, number, tree.depth + 1}, helpers));
    } else if (is_transient(status.error().code) || status.error().code == Code::cancelled) {
      return status;
    } else {
      base::log_warn("{}: the submodule {} is shown empty: {}", access_->url(),
                     source::printable(path), status.error().message);
    }
  }
  return {};
}

Status Mirror::open_remotes() {
  constexpr std::size_t kMost = 1 << 20;
  remotes_ = {access_->url()};
  const auto text = read_file(settings_.directory / "remotes", kMost);
  if (!text.ok()) return text.error().code == Code::not_found ? Status() : Status(text.error());
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) remotes_.push_back(line);
  return {};
}

/// Durable before a catalog names it.
Result<std::uint16_t> Mirror::remote_of(const std::string& url, BlobFetcher& fetcher) {
  std::size_t number = 0;
  while (number < remotes_.size() && remotes_[number] != url) ++number;
  if (number == remotes_.size()) {
    if (number > kMaxRemotes) {
      return Error{Code::too_large, "submodules of too many repositories"};
    }
    remotes_.push_back(url);
    std::string text;
    for (std::size_t i = 1; i < remotes_.size(); ++i) text += remotes_[i] + "\n";
    LAZYVOL_TRY(replace_file(settings_.directory / "remotes", text, 0600));
  }
  const auto remote = static_cast<std::uint16_t>(number);
  fetcher.set_remote(remote, url);
  return remote;
}

Status Mirror::open_lfs_urls() {
  constexpr std::size_t kMost = 1 << 20;
  const auto text = read_file(settings_.directory / "lfs", kMost);
  if (!text.ok()) return text.error().code == Code::not_found ? Status() : Status(text.error());
  std::istringstream words(*text);
  std::uint16_t remote = 0;
  for (std::string url; words >> remote >> url;) lfs_urls_[remote] = url;
  return {};
}

/// Durable before a catalog names objects that are to be had there.
Status Mirror::keep_lfs_urls(const std::map<std::uint16_t, std::string>& urls) {
  std::map<std::uint16_t, std::string> kept;
  for (const auto& [remote, url] : urls) {
    if (is_allowed_lfs_url(remotes_[remote], url)) {
      kept.emplace(remote, url);
    } else {
      base::log_warn(
          "{}: lfs.url of .lfsconfig leads to another host or kind of server and is "
          "not followed",
          remotes_[remote]);
    }
  }
  if (kept == lfs_urls_) return {};
  std::string text;
  for (const auto& [remote, url] : kept) text += fmt::format("{} {}\n", remote, url);
  LAZYVOL_TRY(replace_file(settings_.directory / "lfs", text, 0600));
  lfs_urls_ = std::move(kept);
  return {};
}

std::map<std::uint16_t, LfsEndpoint> Mirror::lfs_endpoints() const {
  std::map<std::uint16_t, LfsEndpoint> out;
  for (std::size_t i = 0; i < remotes_.size(); ++i) {
    const auto remote = static_cast<std::uint16_t>(i);
    const auto configured = lfs_urls_.find(remote);
    auto endpoint =
        lfs_endpoint(remotes_[i], configured == lfs_urls_.end() ? "" : configured->second);
    if (endpoint.ok()) out.emplace(remote, *std::move(endpoint));
  }
  return out;
}

Result<std::map<std::string, std::string>> Mirror::targets(const Snapshot& snapshot,
                                                           BlobFetcher& fetcher,
                                                           BlobReader& reader) {
  std::map<std::string, std::string> targets;
  for (const Snapshot::Number number : snapshot.symlinks()) {
    targets.emplace(object_name(snapshot.node(number).remote, snapshot.id(number)), "");
  }
  std::vector<std::string> names;
  for (const auto& [name, target] : targets) names.push_back(name);
  LAZYVOL_TRY(fetch_all(fetcher, names));
  for (auto& [name, target] : targets) {
    auto bytes = reader.read(parse_object_name(name)->id, kMaxPath);
    if (bytes.ok()) {
      target = *std::move(bytes);
    } else if (bytes.error().code != Code::too_large) {
      return bytes.error();
    }
  }
  return targets;
}

/// Best effort: a size that is not known comes with the blob.
Sizes Mirror::sizes(std::uint16_t remote, const std::vector<std::string>& ids, BlobReader& reader,
                    const Patience& patience) {
  Sizes sizes;
  if (repository_->is_unfiltered()) {
    const auto here = reader.sizes(ids);
    for (std::size_t i = 0; here.ok() && i < ids.size(); ++i) {
      if ((*here)[i]) sizes.emplace(ids[i], *(*here)[i]);
    }
    return sizes;
  }
  auto server = UploadPack::connect(*access_, repository_->directory(), remotes_[remote], patience);
  auto answer = server.ok() ? (*server)->sizes(ids) : Result<Sizes>(server.error());
  if (answer.ok()) return *std::move(answer);
  if (answer.error().code != Code::unsupported) {
    base::log_warn("{}: sizes of blobs stay unknown: {}", remotes_[remote], answer.error().message);
  } else if (!std::exchange(told_no_sizes_, true)) {
    base::log_info("{}: the server does not tell the sizes of blobs; they come with the blobs",
                   access_->url());
  }
  return sizes;
}

Result<StoredHead> Mirror::make_head(const Commit& commit, const Snapshot& snapshot,
                                     const Helpers& helpers) {
  LAZYVOL_TRY_ASSIGN(const auto links, targets(snapshot, helpers.fetcher, helpers.reader));
  CompileInput input{.snapshot = snapshot,
                     .commit = commit.id,
                     .commit_ns = commit.date_s * 1'000'000'000,
                     .now_ns = base::system_clock().wall_ns(),
                     .anew = false,
                     .targets = links,
                     .sizes = [&](std::uint16_t remote, const std::vector<std::string>& ids) {
                       return Result<Sizes>(sizes(remote, ids, helpers.reader, helpers.patience));
                     }};
  LfsScan scan(snapshot, helpers.trees,
               {helpers.fetcher, helpers.reader, helpers.patience, settings_.directory / "index",
                [this](const std::vector<std::string>& words) { return reading(words); }});
  if (settings_.lfs) {
    LAZYVOL_TRY(scan.run());
    LAZYVOL_TRY(keep_lfs_urls(scan.urls()));
    LAZYVOL_TRY_ASSIGN(input.here, scan.sizes_here());
    input.lfs_files = scan.files();
    input.pointers = [&](const std::vector<std::string>& names) { return scan.pointers(names); };
  }
  const std::optional<StoredHead> before = volume_->head();
  auto compiled = compile(input, before, *volume_);
  if (!compiled.ok() && before) {
    // Whatever is wrong with the pages of before, they can be done without.
    base::log_warn("{}: {}: compiled anew", volume_->directory().string(),
                   compiled.error().message);
    LAZYVOL_TRY(volume_->clear());
    input.anew = true;
    compiled = compile(input, before, *volume_);
  }
  if (!compiled.ok()) return compiled.error();
  LAZYVOL_TRY_ASSIGN(StoredHead head, volume_->commit(compiled->head));
  base::log_info("{}: commit {}: {} entries, {} changed, {} of unknown size, {} in LFS",
                 access_->url(), commit.id, compiled->entries, compiled->changed,
                 compiled->unknown_sizes, compiled->lfs_files);
  const std::uint64_t left_out = snapshot.left_out() + compiled->left_out;
  if (left_out > 0) {
    base::log_warn("{}: {} names of commit {} cannot be shown and are left out", access_->url(),
                   left_out, commit.id);
  }
  return head;
}

}  // namespace lazyvol::git
