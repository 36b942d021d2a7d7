#include "daemon/mount_table.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/log.h"
#include "daemon/profile_file.h"
#include "model/source_url.h"
#include "source/registry.h"
#include "volume/layout.h"
#include "volume/live_volume.h"
#include "volume/profile_replay.h"
#include "volume/published_volume.h"

namespace lazyvol::daemon {
namespace {

/// The option that only makes sense for another kind of SOURCE, if one was given.
Status check_kind(const model::SourceUrl& url, const model::MountOptions& options) {
  const auto wrong = [](std::string_view option, std::string_view why) {
    return Error{Code::invalid_argument, fmt::format("option {}: {}", option, why)};
  };
  if (!url.is_git()) {
    constexpr std::string_view kNotGit = "SOURCE is not a git repository";
    if (!options.ref.empty()) return wrong("ref", kNotGit);
    if (options.submodules) return wrong("submodules", kNotGit);
    return options.lfs ? Status(wrong("lfs", kNotGit)) : Status();
  }
  constexpr std::string_view kWhy = "SOURCE is a git repository";
  if (!options.key.empty()) return wrong("key", kWhy);
  if (!options.revision.empty()) return wrong("revision", "SOURCE is a git repository: use ref=");
  if (!options.mirror.empty()) return wrong("mirror", kWhy);
  if (options.layout != "auto") return wrong("layout", kWhy);
  return {};
}

fuse::OpenBy open_by(std::string_view option) {
  if (option == "kernel") return fuse::OpenBy::kernel;
  return option == "daemon" ? fuse::OpenBy::daemon : fuse::OpenBy::passthrough;
}

Status check_mountpoint(const std::string& mountpoint) {
  if (!mountpoint.starts_with('/')) {
    return Error{Code::invalid_argument, "mountpoint " + mountpoint + ": must be absolute"};
  }
  struct stat info {};
  if (stat(mountpoint.c_str(), &info) != 0) return errno_error(errno, "mountpoint " + mountpoint);
  if (!S_ISDIR(info.st_mode)) {
    return Error{Code::not_directory, "mountpoint " + mountpoint + ": is not a directory"};
  }
  return {};
}

}  // namespace

MountTable::MountTable(Runtime& runtime) : runtime_(runtime), reaper_("lv-reaper", 1) {}

MountTable::~MountTable() {
  unmount_all();
  reaper_.stop();
}

Status MountTable::mount(const MountRequest& request) {
  LAZYVOL_TRY_ASSIGN(const auto url, model::parse_source_url(request.source));
  LAZYVOL_TRY(check_kind(url, request.options));
  LAZYVOL_TRY(check_mountpoint(request.mountpoint));
  std::string name = url.canonical();
  if (!request.options.endpoint.empty()) name += " endpoint=" + request.options.endpoint;
  if (!request.options.ref.empty()) name += " ref=" + request.options.ref;
  if (request.options.submodules) name += " submodules";
  if (request.options.lfs) name += " lfs";
  if (!request.options.subdir.empty()) name += " subdir=" + request.options.subdir;
  hide_what_is_gone(request.mountpoint);
  LAZYVOL_TRY_ASSIGN(MountPtr mount, reserve(request, name));

  Status made = assemble(*mount, request);
  bool keep = made.ok();
  {
    auto state = state_.lock();
    if (keep && state->closing) {
      made = Error{Code::cancelled, "the daemon is stopping"};
      keep = false;
    }
    if (keep && mount->ended) keep = false;  // unmounted again by somebody else, already
    if (keep) {
      mount->phase = Phase::mounted;
    } else {
      state->mounts.erase(request.mountpoint);
    }
  }
  if (!keep) {
    dismantle(*mount);
    return made;
  }
  apply_limits(request.options);
  base::log_info("mounted {} on {}", mount->source, request.mountpoint);
  return {};
}

Result<MountTable::MountPtr> MountTable::reserve(const MountRequest& request,
                                                 const std::string& volume_name) {
  auto state = state_.lock();
  if (state->closing) return Error{Code::cancelled, "the daemon is stopping"};
  if (state->mounts.size() >= kMaxMounts) {
    return Error{Code::too_large, fmt::format("a daemon serves at most {} mounts", kMaxMounts)};
  }
  if (auto it = state->mounts.find(request.mountpoint); it != state->mounts.end()) {
    return Error{Code::busy, fmt::format("mountpoint {}: busy, {} is mounted there already",
                                         request.mountpoint, it->second->source)};
  }
  auto mount = std::make_shared<Mount>();
  mount->id = state->next_id++;
  mount->options = model::format_mount_options(request.options);
  mount->since = std::chrono::steady_clock::now();
  // A second mount of one source keeps names of its own: one volume's listings have one writer. The
  // bytes of both are shared all the same, by content key.
  mount->volume_name = volume_name;
  const auto taken = [&](const std::string& name) {
    return std::any_of(state->mounts.begin(), state->mounts.end(),
                       [&](const auto& other) { return other.second->volume_name == name; }) ||
           std::any_of(state->hidden.begin(), state->hidden.end(),
                       [&](const auto& other) { return other->volume_name == name; });
  };
  for (int copy = 2; taken(mount->volume_name); ++copy) {
    mount->volume_name = fmt::format("{} copy={}", volume_name, copy);
  }
  mount->source = volume_name.substr(0, volume_name.find(' '));
  state->mounts.emplace(request.mountpoint, mount);
  return mount;
}

Result<std::shared_ptr<volume::MountedVolume>> MountTable::open_volume(
    const Mount& mount, const model::SourceUrl& url, const model::MountOptions& options) {
  const auto environment = runtime_.volume_environment();
  LAZYVOL_TRY_ASSIGN(auto layout,
                     volume::find_layout(url.canonical(), mount.origin, options, environment));
  if (!layout.published) {
    LAZYVOL_TRY_ASSIGN(
        auto live, volume::LiveVolume::open(mount.volume_name, mount.origin, options, environment));
    return std::shared_ptr<volume::MountedVolume>(std::move(live));
  }
  // Nothing that a published volume keeps is of one mount: all of a source share its name.
  volume::PublishedPlace place{url.canonical(), {mount.origin}};
  place.head = std::move(layout.head);
  for (const auto& mirror : options.mirror) {
    LAZYVOL_TRY_ASSIGN(const auto mirror_url, model::parse_source_url(mirror));
    LAZYVOL_TRY_ASSIGN(auto origin,
                       source::make_source(mirror_url, options, runtime_.source_environment()));
    place.origins.push_back(std::move(origin));
  }
  LAZYVOL_TRY_ASSIGN(auto published,
                     volume::PublishedVolume::open(std::move(place), options, environment));
  return std::shared_ptr<volume::MountedVolume>(std::move(published));
}

Result<std::shared_ptr<volume::MountedVolume>> MountTable::open_git(
    Mount& mount, const model::SourceUrl& url, const model::MountOptions& options) {
  LAZYVOL_TRY_ASSIGN(const auto origin, runtime_.git().open(url, options));
  mount.origin = origin;
  volume::PublishedPlace place;
  place.name = origin->volume_name();
  place.origins = {origin};
  place.objects = origin;
  LAZYVOL_TRY_ASSIGN(auto volume, volume::PublishedVolume::open(std::move(place), options,
                                                                runtime_.volume_environment()));
  return std::shared_ptr<volume::MountedVolume>(std::move(volume));
}

Status MountTable::assemble(Mount& mount, const MountRequest& request) {
  LAZYVOL_TRY_ASSIGN(const auto url, model::parse_source_url(request.source));
  std::optional<model::Profile> profile;
  if (!request.options.prefetch_profile.empty()) {
    auto read = read_profile(request.options.prefetch_profile);
    if (!read.ok()) return read.error().in("option prefetch-profile");
    profile = *std::move(read);
  }
  if (url.is_git()) {
    LAZYVOL_TRY_ASSIGN(mount.volume, open_git(mount, url, request.options));
  } else {
    LAZYVOL_TRY_ASSIGN(mount.origin,
                       source::make_source(url, request.options, runtime_.source_environment()));
    LAZYVOL_TRY_ASSIGN(mount.volume, open_volume(mount, url, request.options));
  }
  fuse::SessionOptions session;
  session.mountpoint = request.mountpoint;
  session.fsname = mount.source;
  session.allow_other = request.options.allow_other;
  session.default_permissions = request.options.default_permissions;
  session.noexec = request.options.noexec;
  session.open = open_by(request.options.open);
  const auto ended = [this, mountpoint = request.mountpoint, id = mount.id] {
    reaper_.submit([this, mountpoint, id] { reap(mountpoint, id); });
  };
  LAZYVOL_TRY_ASSIGN(mount.session, fuse::Session::mount(mount.volume, std::move(session), ended));
  if (profile) replay(mount, *std::move(profile));
  return {};
}

/// In the background; ends with the volume.
void MountTable::replay(const Mount& mount, model::Profile profile) {
  volume::ProfileReplay::run(
      mount.volume, std::move(profile), {}, nullptr,
      [source = mount.source](const Result<PrefetchProgress>& done) {
        if (done.ok()) {
          base::log_info("{}: of the profile's {} items {} were fetched, {} could not be", source,
                         done->files_found, done->files_done, done->failures);
        } else if (done.error().code != Code::cancelled) {
          base::log_warn("{}: the profile was not fetched: {}", source, done.error().message);
        }
      });
}

void MountTable::apply_limits(const model::MountOptions& options) {
  if (options.download_limit) runtime_.set_download_limit(*options.download_limit);
  if (!options.cache_size && !options.free_space_ratio) return;
  CacheLimits limits = runtime_.limits();
  if (options.cache_size) limits.max_bytes = options.cache_size;
  if (options.free_space_ratio) limits.free_space_ratio = *options.free_space_ratio;
  runtime_.set_limits(limits);
}

Status MountTable::unmount(const std::string& mountpoint, bool lazy) {
  MountPtr mount;
  {
    auto state = state_.lock();
    auto it = state->mounts.find(mountpoint);
    if (it == state->mounts.end()) {
      return Error{Code::not_found, mountpoint + ": is not mounted by this daemon"};
    }
    if (it->second->phase != Phase::mounted) {
      return Error{Code::busy, mountpoint + ": is being mounted or unmounted right now"};
    }
    mount = it->second;
    mount->phase = Phase::unmounting;
  }
  Status status = mount->session->unmount(lazy);
  {
    auto state = state_.lock();
    if (!status.ok() && !mount->ended) {
      mount->phase = Phase::mounted;
      return status;
    }
    state->mounts.erase(mountpoint);
    if (lazy && !mount->ended) {
      mount->phase = Phase::mounted;
      state->hidden.push_back(std::move(mount));  // reap() comes when its last user is done
      return {};
    }
  }
  dismantle(*mount);
  base::log_info("unmounted {}", mountpoint);
  return {};
}

/// `umount -l` of somebody else leaves a mount that is served, and a mountpoint that is free.
void MountTable::hide_what_is_gone(const std::string& mountpoint) {
  auto state = state_.lock();
  auto it = state->mounts.find(mountpoint);
  if (it == state->mounts.end() || it->second->phase != Phase::mounted) return;
  if (it->second->session->visible()) return;
  state->hidden.push_back(std::move(it->second));
  state->mounts.erase(it);
}

void MountTable::reap(const std::string& mountpoint, std::uint64_t id) {
  MountPtr mount;
  {
    auto state = state_.lock();
    auto it = state->mounts.find(mountpoint);
    if (it != state->mounts.end() && it->second->id == id) {
      it->second->ended = true;
      if (it->second->phase != Phase::mounted) return;  // whoever changes the phase now looks again
      mount = it->second;
      state->mounts.erase(it);
    } else {
      const auto hidden = std::find_if(state->hidden.begin(), state->hidden.end(),
                                       [&](const auto& other) { return other->id == id; });
      if (hidden == state->hidden.end()) return;
      mount = std::move(*hidden);
      state->hidden.erase(hidden);
    }
  }
  dismantle(*mount);
  base::log_info("{} was unmounted and is no longer used", mountpoint);
}

/// The volume stops first, which fails what still waits for a slow origin: the session's end waits
/// for its calls.
void MountTable::dismantle(Mount& mount) {
  if (mount.volume) mount.volume->stop();
  mount.session.reset();
  mount.volume.reset();
  mount.origin.reset();
}

void MountTable::unmount_all() {
  std::vector<std::string> mountpoints;
  {
    auto state = state_.lock();
    state->closing = true;
    for (const auto& [mountpoint, mount] : state->mounts) mountpoints.push_back(mountpoint);
  }
  for (const auto& mountpoint : mountpoints) {
    if (unmount(mountpoint, false).ok()) continue;
    if (auto status = unmount(mountpoint, true);
        !status.ok() && status.error().code != Code::not_found) {
      base::log_warn("unmount {}: {}", mountpoint, status.error().message);
    }
  }
  std::vector<MountPtr> hidden;
  hidden.swap(state_.lock()->hidden);
  for (const auto& mount : hidden) dismantle(*mount);
}

bool MountTable::close_if_empty() {
  auto state = state_.lock();
  if (!state->mounts.empty() || !state->hidden.empty()) return false;
  state->closing = true;
  return true;
}

bool MountTable::empty() const {
  auto state = state_.lock();
  return state->mounts.empty() && state->hidden.empty();
}

std::vector<MountStatus> MountTable::list() const {
  std::vector<MountStatus> list;
  const auto now = std::chrono::steady_clock::now();
  // Under the lock: a mount that is in the table is whole. Statistics are counters, read in no
  // time.
  auto state = state_.lock();
  for (const auto& [mountpoint, mount] : state->mounts) {
    if (mount->phase == Phase::mounting) continue;
    list.push_back({mount->source, mountpoint, mount->options,
                    std::chrono::duration_cast<std::chrono::seconds>(now - mount->since),
                    mount->origin->traits(), mount->session->stats(), mount->volume->stats()});
  }
  return list;
}

Result<std::shared_ptr<volume::MountedVolume>> MountTable::volume(
    const std::string& mountpoint) const {
  auto state = state_.lock();
  auto it = state->mounts.find(mountpoint);
  if (it == state->mounts.end() || it->second->phase == Phase::mounting) {
    return Error{Code::not_found, mountpoint + ": is not mounted by this daemon"};
  }
  return it->second->volume;
}

}  // namespace lazyvol::daemon
