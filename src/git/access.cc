#include "git/access.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "git/files.h"
#include "net/http_url.h"

namespace lazyvol::git {
namespace {

using Environment = std::vector<std::pair<std::string, std::string>>;

/// A value of a git configuration file (git-config(1), "Values").
std::string config_value(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  return out + "\"";
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      group = group << 8 | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0U);
    }
    for (std::size_t j = 0; j < 4; ++j) {
      out.push_back(i + j <= bytes.size() ? kDigits[group >> (18 - 6 * j) & 63] : '=');
    }
  }
  return out;
}

std::string git_url(const model::SourceUrl& url) {
  return url.canonical().substr(std::string_view("git+").size());
}

/// "https://host:port/": what settings of SOURCE's host hold for.
std::string host_url(const model::SourceUrl& url) {
  return url.scheme.substr(std::string_view("git+").size()) + "://" + url.authority + "/";
}

Environment environment(const std::filesystem::path& git_dir) {
  return {{"GIT_DIR", git_dir.string()},
          {"GIT_TERMINAL_PROMPT", "0"},
          {"GIT_ASKPASS", ""},
          {"GIT_ALLOW_PROTOCOL", "https:http:ssh:file"},
          {"LC_ALL", "C"}};
}

void set(std::vector<std::string>& argv, std::string setting) {
  argv.emplace_back("-c");
  argv.push_back(std::move(setting));
}

std::vector<std::string> git_arguments() {
  std::vector<std::string> argv{"git"};
  for (const char* setting :
       {"core.hooksPath=/dev/null", "core.fsmonitor=false", "protocol.ext.allow=never", "gc.auto=0",
        "maintenance.auto=false", "submodule.recurse=false", "fetch.recurseSubmodules=false",
        "core.logAllRefUpdates=false"}) {
    set(argv, setting);
  }
  return argv;
}

struct HostPort {
  std::string host, port;
};
HostPort split_authority(std::string_view authority) {
  HostPort out;
  const auto bracket = authority.rfind(']');
  const auto colon = authority.rfind(':');
  if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
    out.port = authority.substr(colon + 1);
    authority = authority.substr(0, colon);
  }
  if (authority.starts_with('[')) authority = authority.substr(1, authority.size() - 2);
  out.host = authority;
  return out;
}

long whole_seconds(std::chrono::milliseconds time) {
  constexpr std::chrono::seconds kMost(86'400);
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(
      std::min(time, std::chrono::duration_cast<std::chrono::milliseconds>(kMost)));
  return std::max<long>(1, static_cast<long>(seconds.count()));
}

Status check_for_ssh(const net::HttpIdentity& identity) {
  if (!identity.passphrase.empty()) {
    return Error{
        Code::invalid_argument,
        "git+ssh cannot use a passphrase: add the key to the ssh agent, or use one without"};
  }
  if (!identity.password.empty() || !identity.username.empty() || !identity.bearer_token.empty()) {
    return Error{Code::invalid_argument,
                 "git+ssh logs in by key: of the credentials file only private-key and known-hosts "
                 "are of use (the user stands in SOURCE)"};
  }
  return {};
}

/// user@host:path
bool is_scp(const std::string& url) {
  return url.find("://") == std::string::npos;
}

}  // namespace

Result<model::SourceUrl> parse_git_url(const std::string& url) {
  const auto colon = url.find(':');
  return model::parse_source_url(is_scp(url) ? "git+ssh://" + url.substr(0, colon) + "/" +
                                                   url.substr(colon + 1)
                                             : "git+" + url);
}

std::string shell_word(std::string_view text) {
  std::string out = "'";
  for (const char c : text) c == '\'' ? out.append("'\\''") : out.append(1, c);
  return out + "'";
}

Command local_command(const std::filesystem::path& git_dir, const std::filesystem::path& objects,
                      const std::filesystem::path& more_objects,
                      const std::vector<std::string>& arguments) {
  Command command{git_arguments(), environment(git_dir)};
  // Longer ones are streamed instead of being held in git's memory.
  set(command.argv, "core.bigFileThreshold=1m");
  command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
  command.environment.emplace_back("GIT_OBJECT_DIRECTORY", objects.string());
  if (!more_objects.empty()) {
    command.environment.emplace_back("GIT_ALTERNATE_OBJECT_DIRECTORIES", more_objects.string());
  }
  return command;
}

Access::Access(Settings settings, std::shared_ptr<net::Credentials> credentials)
    : settings_(std::move(settings)),
      credentials_(std::move(credentials)),
      url_(git_url(settings_.url)) {}

Access::~Access() {
  ::unlink(settings_.config_file.c_str());
}

Result<std::shared_ptr<Access>> Access::open(Settings settings) {
  const bool ssh = settings.url.scheme == "git+ssh";
  LAZYVOL_TRY_ASSIGN(
      auto credentials,
      net::Credentials::open(settings.credentials, settings.ca_cert,
                             ssh ? net::CredentialsFor::ssh : net::CredentialsFor::http));
  if (ssh) LAZYVOL_TRY(check_for_ssh(*credentials->current()));
  return std::shared_ptr<Access>(new Access(std::move(settings), std::move(credentials)));
}

std::string Access::config_text(const net::HttpIdentity& identity) const {
  std::string out;
  const auto http = [&](std::string_view name, std::string_view value) {
    out += fmt::format("[http {}]\n\t{} = {}\n", config_value(host_url(settings_.url)), name,
                       config_value(value));
  };
  const bool secret = !identity.username.empty() || !identity.bearer_token.empty();
  if (!identity.username.empty()) {
    http("extraHeader",
         "Authorization: Basic " + base64(identity.username + ":" + identity.password));
  } else if (!identity.bearer_token.empty()) {
    http("extraHeader", "Authorization: Bearer " + identity.bearer_token);
  }
  // Nobody else's helper shall be asked in place of these secrets, nor be given them to keep.
  if (secret) out += "[http]\n\tfollowRedirects = false\n[credential]\n\thelper =\n";
  if (!identity.client_cert_path.empty()) {
    http("sslCert", identity.client_cert_path);
    http("sslKey",
         identity.client_key_path.empty() ? identity.client_cert_path : identity.client_key_path);
  }
  return out;
}

Status Access::write_config() {
  const auto identity = credentials_->current();
  auto written = written_.lock();
  if (written->identity != nullptr && *written->identity == *identity) return {};
  const bool http = settings_.url.scheme == "git+https" || settings_.url.scheme == "git+http";
  const std::string text = http ? config_text(*identity) : std::string();
  if (text.empty()) {
    ::unlink(settings_.config_file.c_str());
  } else {
    LAZYVOL_TRY(replace_file(settings_.config_file, text, 0600));
  }
  written->exists = !text.empty();
  written->identity = identity;
  return {};
}

std::vector<std::string> Access::ssh_arguments(const net::HttpIdentity& identity) const {
  const std::string seconds = std::to_string(whole_seconds(settings_.io_timeout));
  std::vector<std::string> out{"ssh",
                               "-oBatchMode=yes",
                               "-oStrictHostKeyChecking=yes",
                               "-oConnectTimeout=" + seconds,
                               "-oServerAliveInterval=" + seconds,
                               "-oServerAliveCountMax=2"};
  if (!identity.private_key_path.empty()) {
    out.insert(out.end(),
               {"-oIdentitiesOnly=yes", "-oIdentityAgent=none", "-i", identity.private_key_path});
  }
  if (!identity.known_hosts_path.empty()) {
    // ssh takes several files there, so it has quotes of its own.
    out.insert(out.end(), {"-oGlobalKnownHostsFile=/dev/null",
                           "-oUserKnownHostsFile=\"" + identity.known_hosts_path + "\""});
  }
  return out;
}

Result<Command> Access::command(const std::filesystem::path& git_dir,
                                const std::vector<std::string>& arguments) {
  LAZYVOL_TRY(write_config());
  Command command{git_arguments(), environment(git_dir)};
  for (const char* setting :
       {"transfer.fsckObjects=true", "fetch.unpackLimit=1", "fetch.writeCommitGraph=false",
        "protocol.version=2", "http.lowSpeedLimit=1"}) {
    set(command.argv, setting);
  }
  set(command.argv, fmt::format("http.lowSpeedTime={}", whole_seconds(settings_.io_timeout)));
  if (written_.lock()->exists) set(command.argv, "include.path=" + settings_.config_file.string());
  command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
  // In the environment, because what stands there already would win over a setting.
  if (const std::string& path = credentials_->current()->ca_cert_path; !path.empty()) {
    command.environment.emplace_back("GIT_SSL_CAINFO", path);
    command.environment.emplace_back("GIT_SSL_CAPATH", "/etc/ssl/certs");
  }
  // git takes it apart as a shell does.
  std::string ssh;
  for (const std::string& word : ssh_arguments(*credentials_->current())) {
    ssh += (ssh.empty() ? "" : " ") + shell_word(word);
  }
  command.environment.emplace_back("GIT_SSH_COMMAND", ssh);
  command.environment.emplace_back("GIT_SSH_VARIANT", "ssh");
  return command;
}

Result<Access::UploadPackCommand> Access::upload_pack(const std::filesystem::path& git_dir,
                                                      const std::string& url) {
  if (url.starts_with("http://") || url.starts_with("https://")) {
    const char* helper = url.starts_with("https://") ? "remote-https" : "remote-http";
    LAZYVOL_TRY_ASSIGN(Command http, command(git_dir, {helper, "origin", url}));
    return UploadPackCommand{std::move(http), true};
  }
  const std::pair<std::string, std::string> version{"GIT_PROTOCOL", "version=2"};
  LAZYVOL_TRY_ASSIGN(const auto parsed, parse_git_url(url));
  if (parsed.scheme == "git+file") {
    LAZYVOL_TRY_ASSIGN(Command local, command(git_dir, {"upload-pack", parsed.path}));
    std::erase_if(local.environment, [](const auto& one) { return one.first == "GIT_DIR"; });
    local.environment.push_back(version);
    return UploadPackCommand{std::move(local), false};
  }
  LAZYVOL_TRY_ASSIGN(Command remote, ssh(git_dir, url, "git-upload-pack", ""));
  remote.argv.insert(remote.argv.begin() + 1, "-oSendEnv=GIT_PROTOCOL");
  remote.environment.push_back(version);
  return UploadPackCommand{std::move(remote), false};
}

Result<Command> Access::ssh(const std::filesystem::path& git_dir, const std::string& url,
                            std::string_view program, std::string_view tail) {
  LAZYVOL_TRY_ASSIGN(const auto parsed, parse_git_url(url));
  const HostPort place = split_authority(parsed.authority);
  std::vector<std::string> argv = ssh_arguments(*credentials_->current());
  if (!place.port.empty()) argv.insert(argv.end(), {"-p", place.port});
  const std::string host = parsed.user.empty() ? place.host : parsed.user + "@" + place.host;
  std::string path = parsed.path;
  const bool at_home = is_scp(url) && !url.substr(url.find(':') + 1).starts_with('/');
  if (path.starts_with("/~") || at_home) path.erase(0, 1);
  // The server's shell takes this apart.
  argv.insert(argv.end(), {"--", host, fmt::format("{} {}{}", program, shell_word(path), tail)});
  return Command{std::move(argv), environment(git_dir)};
}

std::shared_ptr<const net::HttpIdentity> Access::identity_for(const std::string& url) const {
  auto identity = credentials_->current();
  const auto to = net::parse_http_url(url);
  const auto source = net::parse_http_url(url_);
  if (to.ok() && source.ok() && to->origin == source->origin) return identity;
  net::HttpIdentity stranger;
  stranger.ca_cert_path = identity->ca_cert_path;
  return std::make_shared<const net::HttpIdentity>(std::move(stranger));
}

}  // namespace lazyvol::git
