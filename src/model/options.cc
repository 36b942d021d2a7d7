#include "model/options.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "model/option_values.h"

namespace lazyvol::model {
namespace {

constexpr std::uint32_t kMaxRetries = 1000;
constexpr std::uint32_t kMaxConnections = 1024;
constexpr std::uint64_t kMinBytes = 1 << 20;
constexpr std::uint64_t kMinCache = 32 << 20;  // half of it is the index and its reserve
constexpr std::uint64_t kMaxBytes = 1ULL << 63;

// --- the table -----------------------------------------------------------------------------------

struct Option {
  OptionHelp help;
  Status (*parse)(MountOptions&, std::string_view);
  std::vector<std::string> (*format)(const MountOptions&);  ///< one for each time it is given
  bool (*same)(const MountOptions&, const MountOptions&);
  bool flag = false;  ///< may stand without a value, which means true
};

#define LAZYVOL_SAME(field) \
  [](const MountOptions& a, const MountOptions& b) { return a.field == b.field; }
#define LAZYVOL_SHOW(field) [](const MountOptions& o) { return std::vector{show(o.field)}; }
#define LAZYVOL_OPTION(name, argument, meaning, field, parse_expression)                   \
  Option {                                                                                 \
    {name, argument, meaning},                                                             \
        [](MountOptions& o, std::string_view text) -> Status { return parse_expression; }, \
        LAZYVOL_SHOW(field), LAZYVOL_SAME(field)                                           \
  }
#define LAZYVOL_FLAG(name, meaning, field)                                                   \
  Option {                                                                                   \
    {name, "", meaning},                                                                     \
        [](MountOptions& o, std::string_view text) -> Status { return set(o.field, text); }, \
        LAZYVOL_SHOW(field), LAZYVOL_SAME(field), true                                       \
  }

std::vector<std::string> show_mode(const std::optional<std::uint32_t>& mode) {
  return {fmt::format("{:04o}", *mode)};
}

// In the order of mount.lazyvol(8).
const std::vector<Option>& table() {
  static const std::vector<Option> options = {
      LAZYVOL_OPTION("cache-dir", "DIR", "where the block cache lives", cache_dir,
                     set_path(o.cache_dir, text)),
      LAZYVOL_OPTION("cache-size", "SIZE", "the most that the whole cache may hold", cache_size,
                     set_within(o.cache_size, text, kMinCache, kMaxBytes)),
      LAZYVOL_OPTION("free-space-ratio", "RATIO",
                     "share of the cache's file system that stays free", free_space_ratio,
                     set(o.free_space_ratio, text)),
      LAZYVOL_OPTION("memory-target", "SIZE", "memory that the daemon aims to stay under",
                     memory_target, set_within(o.memory_target, text, kMinBytes, kMaxBytes)),
      LAZYVOL_OPTION("download-limit", "SIZE", "bytes per second that the daemon fetches",
                     download_limit, set_download_limit(o.download_limit, text)),
      LAZYVOL_OPTION("metadata-ttl", "TIME", "how long names and attributes are trusted",
                     metadata_ttl, set(o.metadata_ttl, text)),
      LAZYVOL_OPTION("negative-metadata-ttl", "TIME", "how long the absence of a name is trusted",
                     negative_metadata_ttl, set(o.negative_metadata_ttl, text)),
      LAZYVOL_OPTION("io-timeout", "TIME", "give up on the origin after this long without progress",
                     io_timeout, set(o.io_timeout, text)),
      LAZYVOL_OPTION("io-retries", "COUNT", "how often a failed request is repeated", io_retries,
                     set_within(o.io_retries, text, 0, kMaxRetries)),
      LAZYVOL_OPTION("max-connections", "COUNT", "connections to one host", max_connections,
                     set_within(o.max_connections, text, 1, kMaxConnections)),
      LAZYVOL_OPTION("max-readahead", "SIZE", "bytes fetched ahead of a sequential reader",
                     max_readahead, set(o.max_readahead, text)),
      Option{{"prefetch", "auto|none", "whether bytes are fetched before they are asked for"},
             [](MountOptions& o, std::string_view text) { return set_prefetch(o.prefetch, text); },
             [](const MountOptions& o) { return std::vector{show_prefetch(o.prefetch)}; },
             LAZYVOL_SAME(prefetch)},
      LAZYVOL_OPTION("prefetch-profile", "FILE", "a profile whose files are fetched at once",
                     prefetch_profile, set_path(o.prefetch_profile, text)),
      LAZYVOL_OPTION("layout", "auto|published|files",
                     "whether SOURCE holds a published volume or plain files", layout,
                     set_one_of(o.layout, text, {"auto", "published", "files"})),
      LAZYVOL_OPTION("key", "KEY", "who must have signed the published volume", key,
                     set_path(o.key, text)),
      LAZYVOL_OPTION("revision", "N|TAG", "show this revision of a published volume only", revision,
                     set_revision(o.revision, text)),
      LAZYVOL_OPTION("refresh", "TIME", "how often a new revision is looked for", refresh,
                     set_interval(o.refresh, text)),
      LAZYVOL_OPTION("refresh-timeout", "TIME",
                     "give up looking for one after this long without progress", refresh_timeout,
                     set(o.refresh_timeout, text)),
      Option{{"mirror", "URL", "another place of the published volume; may be repeated"},
             [](MountOptions& o, std::string_view text) { return add_mirror(o.mirror, text); },
             [](const MountOptions& o) { return o.mirror; },
             LAZYVOL_SAME(mirror)},
      LAZYVOL_OPTION("credentials", "FILE", "TOML file of secrets, mode 0600", credentials,
                     set_path(o.credentials, text)),
      LAZYVOL_OPTION("ca-cert", "FILE", "PEM file of certificate authorities to trust", ca_cert,
                     set_path(o.ca_cert, text)),
      LAZYVOL_OPTION("endpoint", "URL", "the S3 service, unless AWS", endpoint,
                     set_path(o.endpoint, text)),
      LAZYVOL_OPTION("region", "NAME", "the region of the S3 bucket", region,
                     set_region(o.region, text)),
      LAZYVOL_OPTION("profile", "NAME", "the AWS profile whose keys sign", profile,
                     set_path(o.profile, text)),
      LAZYVOL_OPTION("force-path-style", "yes|no", "the S3 bucket stands in the path of its URLs",
                     force_path_style, set(o.force_path_style, text)),
      LAZYVOL_FLAG("requester-pays", "agree to pay for reading the S3 bucket", requester_pays),
      LAZYVOL_FLAG("no-sign-request", "read the S3 bucket anonymously", no_sign_request),
      LAZYVOL_OPTION("ref", "NAME", "the branch, tag or commit of the git repository", ref,
                     set_ref(o.ref, text)),
      LAZYVOL_OPTION("submodules", "yes|no", "show what the git repository's submodules hold",
                     submodules, set(o.submodules, text)),
      LAZYVOL_OPTION("lfs", "yes|no", "show the files that git LFS keeps, not their pointers", lfs,
                     set(o.lfs, text)),
      LAZYVOL_OPTION("subdir", "PATH", "mount only this directory of the volume", subdir,
                     set_subdir(o.subdir, text)),
      LAZYVOL_OPTION("uid", "ID", "owner of everything", uid, set_owner(o.uid, text)),
      LAZYVOL_OPTION("gid", "ID", "group of everything", gid, set_owner(o.gid, text)),
      Option{{"file-mode", "MODE", "permissions of files, octal"},
             [](MountOptions& o, std::string_view text) { return set_mode(o.file_mode, text); },
             [](const MountOptions& o) { return show_mode(o.file_mode); },
             LAZYVOL_SAME(file_mode)},
      Option{{"dir-mode", "MODE", "permissions of directories, octal"},
             [](MountOptions& o, std::string_view text) { return set_mode(o.dir_mode, text); },
             [](const MountOptions& o) { return show_mode(o.dir_mode); },
             LAZYVOL_SAME(dir_mode)},
      LAZYVOL_FLAG("allow-other", "let other users in", allow_other),
      LAZYVOL_FLAG("default-permissions", "the kernel checks permissions", default_permissions),
      LAZYVOL_FLAG("noexec", "no program on the mount can be executed", noexec),
      LAZYVOL_OPTION("open", "passthrough|daemon|kernel",
                     "who answers open(2), and reads of what is cached", open,
                     set_one_of(o.open, text, {"passthrough", "daemon", "kernel"})),
      LAZYVOL_OPTION("on-change", "stale|reopen",
                     "what an open file does when the origin replaces it", on_change,
                     set_one_of(o.on_change, text, {"stale", "reopen"})),
  };
  return options;
}

#undef LAZYVOL_SAME
#undef LAZYVOL_SHOW
#undef LAZYVOL_OPTION
#undef LAZYVOL_FLAG

// --- names ---------------------------------------------------------------------------------------

/// For mount(8), fstab and systemd; nothing that a read-only lazyvol mount would do otherwise.
/// After normalising, so "_netdev" is "-netdev".
bool ignored(std::string_view name) {
  constexpr std::array<std::string_view, 24> names = {
      "ro",          "-netdev",  "nofail",     "noauto",  "auto",       "user",
      "nouser",      "users",    "owner",      "group",   "defaults",   "nosuid",
      "nodev",       "relatime", "norelatime", "noatime", "nodiratime", "lazytime",
      "strictatime", "comment",  "suid",       "dev",     "sync",       "async"};
  return name.starts_with("x-") || name.starts_with("X-") ||
         std::find(names.begin(), names.end(), name) != names.end();
}

bool is_secret(std::string_view name) {
  constexpr std::array<std::string_view, 9> names = {
      "username",      "password",          "passwd",       "pass", "bearer-token", "token",
      "access-key-id", "secret-access-key", "session-token"};
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// Levenshtein distance.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row.back();
}

Error unknown_option(std::string_view name) {
  constexpr std::size_t kLongestName = 64;  // of a message, and of the work to find a near miss
  const auto shown = name.substr(0, kLongestName);
  if (is_secret(name)) {
    return bad(
        fmt::format("option '{}' is not known: secrets belong into the file named by "
                    "credentials=",
                    shown));
  }
  const Option* nearest = nullptr;
  std::size_t best = std::max<std::size_t>(1, shown.size() / 3) + 1;
  for (const auto& option : table()) {
    const auto d = distance(shown, option.help.name);
    if (d < best) {
      best = d;
      nearest = &option;
    }
  }
  if (nearest == nullptr) return bad(fmt::format("unknown option '{}'", shown));
  return bad(fmt::format("unknown option '{}' (did you mean '{}'?)", shown, nearest->help.name));
}

Status apply(MountOptions& options, std::string_view name_text,
             std::optional<std::string_view> value) {
  std::string name(name_text);
  std::replace(name.begin(), name.end(), '_', '-');
  if (name == "rw") return Error{Code::read_only, "option 'rw': lazyvol volumes are read-only"};
  if (ignored(name)) return {};
  if (name == "exec") {
    options.noexec = false;
    return {};
  }
  const auto& all = table();
  const auto option =
      std::find_if(all.begin(), all.end(), [&](const Option& o) { return o.help.name == name; });
  if (option == all.end()) return unknown_option(name);
  if (!value && option->flag) value = "true";
  if (!value || value->empty()) {
    return bad(fmt::format("option '{}' needs a value: {}={}", name, name,
                           option->flag ? "true|false" : option->help.argument));
  }
  if (auto status = option->parse(options, *value); !status.ok()) {
    return status.error().in(fmt::format("option '{}'", name));
  }
  return {};
}

/// Takes one item up to an unescaped comma off the front of `text`.
std::string take_item(std::string_view& text) {
  std::string item;
  std::size_t i = 0;
  for (; i < text.size() && text[i] != ','; ++i) {
    const bool escape =
        text[i] == '\\' && i + 1 < text.size() && (text[i + 1] == ',' || text[i + 1] == '\\');
    item.push_back(text[escape ? ++i : i]);
  }
  text.remove_prefix(std::min(i + 1, text.size()));
  return item;
}

}  // namespace

Result<MountOptions> parse_mount_options(std::string_view text, MountOptions base) {
  MountOptions options = std::move(base);
  while (!text.empty()) {
    const std::string item = take_item(text);
    if (item.empty()) continue;
    const std::string_view view = item;
    const auto equals = view.find('=');
    std::optional<std::string_view> value;
    if (equals != std::string_view::npos) value = view.substr(equals + 1);
    LAZYVOL_TRY(apply(options, view.substr(0, equals), value));
  }
  return options;
}

const std::vector<OptionHelp>& mount_option_help() {
  static const std::vector<OptionHelp> help = [] {
    std::vector<OptionHelp> out;
    for (const auto& option : table()) out.push_back(option.help);
    return out;
  }();
  return help;
}

Status check_run_time_limits(const MountOptions& options) {
  constexpr std::array<std::string_view, 3> kLimits{"cache-size", "free-space-ratio",
                                                    "download-limit"};
  const MountOptions defaults;
  bool any = false;
  for (const Option& option : table()) {
    if (option.same(options, defaults)) continue;
    if (std::find(kLimits.begin(), kLimits.end(), option.help.name) == kLimits.end()) {
      return Error{Code::invalid_argument,
                   fmt::format("{} cannot be changed while a daemon runs", option.help.name)};
    }
    any = true;
  }
  if (any) return {};
  return Error{Code::invalid_argument,
               "nothing to change: give cache-size, free-space-ratio or download-limit"};
}

std::string format_mount_options(const MountOptions& options) {
  const MountOptions defaults;
  std::string out;
  for (const auto& option : table()) {
    if (option.same(options, defaults)) continue;
    for (const std::string& value : option.format(options)) {
      if (!out.empty()) out.push_back(',');
      out.append(option.help.name).push_back('=');
      for (const char c : value) {
        if (c == ',' || c == '\\') out.push_back('\\');
        out.push_back(c);
      }
    }
  }
  return out;
}

}  // namespace lazyvol::model
