#include "git/repository.h"

#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "git/files.h"
#include "git/git_error.h"
#include "git/object_id.h"

namespace lazyvol::git {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxAnswer = 16 << 20;
// Packs of up to this are joined with others.
constexpr std::uint64_t kJoinedBytes = 256ULL << 20;

std::string remote_name(std::uint16_t number) {
  return "r" + std::to_string(number);
}

std::string kept_ref(std::uint16_t remote) {
  return "refs/lazyvol/" + remote_name(remote);
}

// Left by a process that was killed: nobody else works here.
void remove_leftovers(const fs::path& directory) {
  std::error_code failure;
  std::vector<fs::path> leftovers;
  for (fs::recursive_directory_iterator at(directory, failure), end; !failure && at != end;
       at.increment(failure)) {
    const std::string name = at->path().filename().string();
    if (name.ends_with(".lock") || name.starts_with("tmp_")) leftovers.push_back(at->path());
  }
  for (const fs::path& path : leftovers) fs::remove_all(path, failure);
}

// git says how many objects came, and of a single long one nothing until it is whole.
std::uint64_t bytes_being_written(const fs::path& directory) {
  std::uint64_t sum = 0;
  std::error_code failure;
  for (fs::directory_iterator at(directory, failure), end; !failure && at != end;
       at.increment(failure)) {
    if (!at->path().filename().string().starts_with("tmp_")) continue;
    std::error_code gone;
    const auto bytes = fs::file_size(at->path(), gone);
    if (!gone) sum += bytes;
  }
  return sum;
}

std::string config_word(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  return out + "\"";
}

Status prepare_directory(const fs::path& directory) {
  for (const char* name : {"", "objects", "objects/info", "objects/pack", "refs"}) {
    LAZYVOL_TRY(make_private_directory(directory / name));
  }
  remove_leftovers(directory);
  return replace_file(directory / "HEAD", "ref: refs/heads/none\n", 0600);
}

std::string config_of(const std::string& object_format) {
  std::string text = "[core]\n\trepositoryformatversion = 1\n\tbare = true\n";
  if (object_format != "sha1") text += "[extensions]\n\tobjectFormat = " + object_format + "\n";
  return text;
}

Result<Commit> parse_commit(std::string_view line) {
  const auto space = line.find(' ');
  Commit commit;
  commit.id = line.substr(0, space);
  if (space != std::string_view::npos && is_object_id(commit.id)) {
    const char* end = line.data() + line.size();
    const auto [rest, error] = std::from_chars(line.data() + space + 1, end, commit.date_s);
    // What does not fit in nanoseconds is no date.
    constexpr std::int64_t kMost = INT64_MAX / 1'000'000'000;
    if (error == std::errc() && commit.date_s <= kMost && commit.date_s >= -kMost) return commit;
  }
  return Error{Code::corrupt, "git described a commit in a form that is not known"};
}

}  // namespace

std::optional<RemoteRef> find_remote_ref(std::string_view rows, const std::string& ref) {
  std::vector<std::string> names{ref};
  if (ref.empty()) names = {"HEAD"};
  if (!ref.empty() && ref != "HEAD" && !ref.starts_with("refs/")) {
    names = {"refs/heads/" + ref, "refs/tags/" + ref};
  }
  for (const std::string& name : names) {
    for (std::string_view rest = rows; !rest.empty();) {
      const auto end = std::min(rest.find('\n'), rest.size());
      const std::string_view row = rest.substr(0, end);
      rest.remove_prefix(std::min(end + 1, rest.size()));
      const auto tab = row.find('\t');
      if (tab == std::string_view::npos || row.substr(tab + 1) != name) continue;
      if (is_object_id(row.substr(0, tab))) return RemoteRef{name, std::string(row.substr(0, tab))};
    }
  }
  return std::nullopt;
}

Status make_local_repository(const fs::path& directory, const std::string& object_format) {
  LAZYVOL_TRY(prepare_directory(directory));
  return replace_file(directory / "config", config_of(object_format), 0600);
}

Repository::Repository(fs::path directory, std::shared_ptr<Access> access)
    : directory_(std::move(directory)), access_(std::move(access)) {}

Result<std::unique_ptr<Repository>> Repository::open(fs::path directory,
                                                     std::shared_ptr<Access> access,
                                                     const std::string& object_format) {
  auto repository =
      std::unique_ptr<Repository>(new Repository(std::move(directory), std::move(access)));
  LAZYVOL_TRY(prepare_directory(repository->directory_));
  repository->object_format_ = object_format;
  repository->urls_ = {repository->access_->url()};
  LAZYVOL_TRY(repository->write_config());
  return repository;
}

Status Repository::write_config() const {
  std::string text = config_of(object_format_);
  for (std::size_t number = 0; number < urls_.size(); ++number) {
    text += "[remote " + config_word(remote_name(static_cast<std::uint16_t>(number))) +
            "]\n\turl = " + config_word(urls_[number]) +
            "\n\tpromisor = true\n\tpartialCloneFilter = blob:none\n";
  }
  return replace_file(directory_ / "config", text, 0600);
}

Status Repository::set_remote(std::uint16_t number, const std::string& url) {
  if (number < urls_.size() && urls_[number] == url) return {};
  if (number >= urls_.size()) urls_.resize(number + 1);
  urls_[number] = url;
  return write_config();
}

Result<Finished> Repository::git(const std::vector<std::string>& arguments, std::string_view input,
                                 Patience patience, std::string_view what) {
  LAZYVOL_TRY_ASSIGN(const Command command, access_->command(directory_, arguments));
  patience.silent_work = [packs = objects() / "pack"] { return bytes_being_written(packs); };
  LAZYVOL_TRY_ASSIGN(Finished finished, run(command, input, patience, kMaxAnswer));
  if (finished.status != 0) return git_error(what, finished.errors);
  return finished;
}

Result<RemoteRef> Repository::look(const std::string& ref, const Patience& patience) {
  if (is_object_id(ref)) return RemoteRef{ref, ref};
  std::vector<std::string> arguments{"ls-remote", "--quiet", remote_name(0)};
  if (ref.empty() || ref == "HEAD" || ref.starts_with("refs/")) {
    arguments.push_back(ref.empty() ? "HEAD" : ref);
  } else {
    arguments.insert(arguments.end(), {"refs/heads/" + ref, "refs/tags/" + ref});
  }
  LAZYVOL_TRY_ASSIGN(const Finished finished, git(arguments, {}, patience, "git ls-remote"));
  if (auto found = find_remote_ref(finished.output, ref)) return *std::move(found);
  if (ref.empty()) {
    return Error{Code::not_found, "the git repository has no HEAD (is it empty?): give ref="};
  }
  return Error{Code::not_found, "the git repository has no branch or tag '" + ref +
                                    "' (a commit is named by its whole id)"};
}

void Repository::tell_unfiltered(const std::string& errors) {
  if (unfiltered_ || errors.find("filtering not recognized") == std::string::npos) return;
  unfiltered_ = true;
  base::log_warn(
      "{}: the server cannot leave out blobs (uploadpack.allowFilter is off), so whole "
      "commits are fetched",
      access_->url());
}

Result<Commit> Repository::fetch_commit(std::uint16_t remote, const std::string& ref,
                                        const Patience& patience) {
  const std::string kept = kept_ref(remote);
  LAZYVOL_TRY_ASSIGN(
      const Finished fetched,
      git({"fetch", "--filter=blob:none", "--depth=1", "--no-tags", "--no-write-fetch-head",
           "--no-auto-maintenance", "--progress", remote_name(remote), "+" + ref + ":" + kept},
          {}, patience, "git fetch"));
  tell_unfiltered(fetched.errors);
  LAZYVOL_TRY_ASSIGN(const Command command,
                     access_->command(directory_, {"log", "-1", "--no-show-signature",
                                                   "--format=%H %ct", kept, "--"}));
  LAZYVOL_TRY_ASSIGN(const Finished shown, run(command, {}, patience, kMaxAnswer));
  if (shown.status != 0 || shown.output.empty()) {
    return Error{Code::invalid_argument, "'" + ref + "' is not a commit"};
  }
  return parse_commit(std::string_view(shown.output).substr(0, shown.output.find('\n')));
}

Status Repository::fetch_blobs(std::uint16_t remote, std::span<const std::string> ids,
                               const Patience& patience) {
  std::string input;
  for (const std::string& id : ids) input += id + "\n";
  // Nothing that is here is offered: with it the server would have to compute what is missing.
  // Neither are these made durable: they can be fetched again.
  const auto fetched = git({"-c", "fetch.negotiationAlgorithm=noop", "-c", "core.fsync=none",
                            "fetch", "--filter=blob:none", "--no-tags", "--no-write-fetch-head",
                            "--no-auto-maintenance", "--progress", "--stdin", remote_name(remote)},
                           input, patience, "git fetch");
  return fetched.ok() ? Status() : Status(fetched.error());
}

namespace {

struct PackFile {
  fs::path path;
  std::uint64_t bytes = 0;
  timespec written{};
};

std::vector<PackFile> pack_files(const fs::path& directory) {
  std::vector<PackFile> packs;
  std::error_code failure;
  for (fs::directory_iterator at(directory, failure), end; !failure && at != end;
       at.increment(failure)) {
    struct stat status {};
    if (at->path().extension() != ".pack" || ::stat(at->path().c_str(), &status) != 0) continue;
    packs.push_back({at->path(), static_cast<std::uint64_t>(status.st_size), status.st_mtim});
  }
  return packs;
}

}  // namespace

Repository::Packs Repository::packs() const {
  Packs sum;
  for (const PackFile& pack : pack_files(objects() / "pack")) {
    ++sum.count;
    sum.bytes += pack.bytes;
    if (pack.bytes <= kJoinedBytes) sum.small_bytes += pack.bytes;
  }
  return sum;
}

void Repository::trim(std::uint64_t bytes) {
  auto files = pack_files(objects() / "pack");
  std::sort(files.begin(), files.end(), [](const PackFile& a, const PackFile& b) {
    return std::pair(a.written.tv_sec, a.written.tv_nsec) <
           std::pair(b.written.tv_sec, b.written.tv_nsec);
  });
  std::uint64_t sum = 0;
  for (const PackFile& file : files) sum += file.bytes;
  std::error_code failure;
  for (const PackFile& file : files) {
    if (sum <= bytes) return;
    // An index over several packs that names one which is gone is damage to git.
    fs::remove(objects() / "pack/multi-pack-index", failure);
    for (const char* extension : {".idx", ".rev", ".promisor", ".pack"}) {
      fs::remove(fs::path(file.path).replace_extension(extension), failure);
    }
    sum -= file.bytes;
  }
}

Status Repository::consolidate(const Patience& patience) {
  // git joins the oldest ones until they have so many bytes, and none if they never do.
  const std::string batch = "--batch-size=" + std::to_string(packs().small_bytes / 2);
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"multi-pack-index", "write"},
        std::vector<std::string>{"multi-pack-index", "repack", batch},
        std::vector<std::string>{"multi-pack-index", "expire"}}) {
    const auto done = git(arguments, {}, patience, "git multi-pack-index");
    if (!done.ok()) return done.error();
  }
  return {};
}

}  // namespace lazyvol::git
