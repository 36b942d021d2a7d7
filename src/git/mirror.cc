#include "git/mirror.h"

#include <fmt/core.h>

#include <condition_variable>
#include <sstream>
#include <system_error>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "git/files.h"
#include "git/git_error.h"
#include "git/object_id.h"
#include "git/upload_pack.h"

namespace lazyvol::git {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxState = 4096;
// Commits that were shown before leave their trees behind: when so many packs have gathered, the
// present one is fetched into a new repository.
constexpr std::size_t kMaxTreePacks = 60;

/// Waits until all are here, or could not be had.
class Countdown {
 public:
  explicit Countdown(std::size_t count) : left_(count) {}
  void done(const Status& status) {
    auto left = left_.lock();
    if (!status.ok() && !error_) error_ = status.error();
    if (--*left == 0) wake_.notify_all();
  }
  Status wait() {
    auto left = left_.lock();
    wake_.wait(left.native(), [&] { return *left == 0; });
    return error_ ? Status(*error_) : Status();
  }

 private:
  base::Locked<std::size_t> left_;
  std::optional<Error> error_;  // guarded by left_
  std::condition_variable wake_;
};

}  // namespace

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
  LAZYVOL_TRY_ASSIGN(mirror->volume_, LocalVolume::open(dir / "volume"));
  return mirror;
}

Status Mirror::open_repository() {
  const fs::path path = settings_.directory / "repo.git";
  if (const auto config = read_file(path / "config", 1 << 20); config.ok()) {
    if (config->find("objectFormat = sha256") != std::string::npos) object_format_ = "sha256";
  } else {
    const Patience patience{settings_.io_timeout, {}, {}};
    LAZYVOL_TRY_ASSIGN(const auto server,
                       UploadPack::connect(*access_, settings_.directory / "local.git",
                                           access_->url(), patience));
    object_format_ = server->capabilities().object_format;
    if (object_format_ != "sha1" && object_format_ != "sha256") {
      return Error{Code::unsupported, "the git repository has hashes of an unknown kind"};
    }
  }
  LAZYVOL_TRY_ASSIGN(repository_, Repository::open(path, access_, object_format_));
  return {};
}

Command Mirror::cat_file() const {
  const fs::path& dir = settings_.directory;
  return local_command(dir / "local.git", dir / "blobs.git/objects", dir / "repo.git/objects",
                       {"cat-file", "--batch-command"});
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
  LAZYVOL_TRY_ASSIGN(const RemoteRef tip, repository_->look(settings_.ref, patience));
  std::optional<StoredHead> head = volume_->head();
  std::optional<State> state = read_state();
  if (state && (!head || state->head != head->document.digest.hex())) state.reset();
  if (state && state->tip == tip.id) return ShownCommit{*std::move(head), state->commit};

  LAZYVOL_TRY_ASSIGN(Commit commit, fetch(tip.name, patience));
  if (!state || state->commit != commit.id) {
    LAZYVOL_TRY_ASSIGN(const Snapshot snapshot, snapshot_of(commit, tip.name, patience));
    LAZYVOL_TRY_ASSIGN(head, make_head(commit, snapshot, fetcher, reader, patience));
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

Status Mirror::list(const Commit& commit, Snapshot& snapshot, const Patience& patience) const {
  const Command command =
      local_command(settings_.directory / "local.git", repository_->objects(), {},
                    {"ls-tree", "-r", "-t", "-z", "--full-tree", commit.id});
  TreeRowReader rows(
      [&](const TreeRow& row) { return snapshot.add(Snapshot::kRoot, 0, row); });
  LAZYVOL_TRY_ASSIGN(const Finished finished,
                     run(command, {}, patience, 0,
                         [&](std::string_view bytes) { return rows.add(bytes); }));
  if (finished.status != 0) return git_error("git ls-tree", finished.errors);
  LAZYVOL_TRY(rows.finish());
  snapshot.finish();
  return {};
}

/// Trees that cannot be read though they were fetched are damage of the disk: they are fetched once
/// more into a new repository.
Result<Snapshot> Mirror::snapshot_of(const Commit& commit, const std::string& ref,
                                     const Patience& patience) {
  Snapshot snapshot;
  const Status status = list(commit, snapshot, patience);
  if (status.ok()) return snapshot;
  const Code code = status.error().code;
  if (code == Code::cancelled || code == Code::too_large || code == Code::timed_out) {
    return status.error();
  }
  base::log_warn("{}: {}: fetched anew", repository_->directory().string(),
                 status.error().message);
  std::error_code failure;
  fs::remove_all(repository_->directory(), failure);
  LAZYVOL_TRY_ASSIGN(repository_,
                     Repository::open(settings_.directory / "repo.git", access_, object_format_));
  LAZYVOL_TRY_ASSIGN(const Commit again, repository_->fetch_commit(0, ref, patience));
  if (again.id != commit.id) return Error{Code::stale, "the ref moved meanwhile"};
  Snapshot second;
  LAZYVOL_TRY(list(commit, second, patience));
  return second;
}

Result<std::map<std::string, std::string>> Mirror::targets(const Snapshot& snapshot,
                                                           BlobFetcher& fetcher,
                                                           BlobReader& reader) {
  std::map<std::string, std::string> targets;
  for (const Snapshot::Number number : snapshot.symlinks()) {
    targets.emplace(object_name(snapshot.node(number).remote, snapshot.id(number)), "");
  }
  const auto countdown = std::make_shared<Countdown>(targets.size() + 1);
  for (const auto& [name, target] : targets) {
    fetcher.want(name, [countdown](const Status& status) { countdown->done(status); });
  }
  countdown->done({});
  LAZYVOL_TRY(countdown->wait());
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
Sizes Mirror::sizes(const std::vector<std::string>& ids, BlobReader& reader,
                    const Patience& patience) {
  Sizes sizes;
  if (repository_->is_unfiltered()) {
    const auto here = reader.sizes(ids);
    for (std::size_t i = 0; here.ok() && i < ids.size(); ++i) {
      if ((*here)[i]) sizes.emplace(ids[i], *(*here)[i]);
    }
    return sizes;
  }
  auto server = UploadPack::connect(*access_, repository_->directory(), access_->url(), patience);
  auto answer = server.ok() ? (*server)->sizes(ids) : Result<Sizes>(server.error());
  if (answer.ok()) return *std::move(answer);
  if (answer.error().code != Code::unsupported) {
    base::log_warn("{}: sizes of blobs stay unknown: {}", access_->url(), answer.error().message);
  } else if (!std::exchange(told_no_sizes_, true)) {
    base::log_info("{}: the server does not tell the sizes of blobs; they come with the blobs",
                   access_->url());
  }
  return sizes;
}

Result<StoredHead> Mirror::make_head(const Commit& commit, const Snapshot& snapshot,
                                     BlobFetcher& fetcher, BlobReader& reader,
                                     const Patience& patience) {
  LAZYVOL_TRY_ASSIGN(const auto links, targets(snapshot, fetcher, reader));
  CompileInput input{.snapshot = snapshot,
                     .commit = commit.id,
                     .commit_ns = commit.date_s * 1'000'000'000,
                     .now_ns = base::system_clock().wall_ns(),
                     .anew = false,
                     .targets = links,
                     .sizes = [&](std::uint16_t, const std::vector<std::string>& ids) {
                       return Result<Sizes>(sizes(ids, reader, patience));
                     }};
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
  base::log_info("{}: commit {}: {} entries, {} changed, {} of unknown size", access_->url(),
                 commit.id, compiled->entries, compiled->changed, compiled->unknown_sizes);
  const std::uint64_t left_out = snapshot.left_out() + compiled->left_out;
  if (left_out > 0) {
    base::log_warn("{}: {} names of commit {} cannot be shown and are left out", access_->url(),
                   left_out, commit.id);
  }
  return head;
}

}  // namespace lazyvol::git
