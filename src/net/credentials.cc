#include "net/credentials.h"

#include <fmt/core.h>
#include <pwd.h>
#include <unistd.h>

#include <toml++/toml.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/locked.h"
#include "base/log.h"
#include "net/secret_file.h"

namespace lazyvol::net {
namespace {

using Field = std::string HttpIdentity::*;
struct Key {
  std::string_view name;
  Field field;
  bool is_path;
};
constexpr std::array<Key, 12> kKeys = {{
    {"username", &HttpIdentity::username, false},
    {"password", &HttpIdentity::password, false},
    {"bearer-token", &HttpIdentity::bearer_token, false},
    {"ca-cert", &HttpIdentity::ca_cert_path, true},
    {"client-cert", &HttpIdentity::client_cert_path, true},
    {"client-key", &HttpIdentity::client_key_path, true},
    {"access-key-id", &HttpIdentity::access_key_id, false},
    {"secret-access-key", &HttpIdentity::secret_access_key, false},
    {"session-token", &HttpIdentity::session_token, false},
    {"private-key", &HttpIdentity::private_key_path, true},
    {"passphrase", &HttpIdentity::passphrase, false},
    {"known-hosts", &HttpIdentity::known_hosts_path, true},
}};

/// Levenshtein's distance; names are short.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = std::exchange(row[j + 1], std::min({changed, row[j] + 1, row[j + 1] + 1}));
    }
  }
  return row.back();
}

std::string known_keys() {
  std::string names;
  for (const Key& key : kKeys) (names += names.empty() ? "" : ", ") += key.name;
  return names;
}

std::string unknown_key(std::string_view name) {
  constexpr std::size_t kLongestShown = 40;
  const std::string shown(name.substr(0, kLongestShown));
  std::string normal = shown;
  for (char& c : normal) {
    if (c == '_') c = '-';
  }
  const auto nearest = std::min_element(kKeys.begin(), kKeys.end(), [&](auto& a, auto& b) {
    return distance(normal, a.name) < distance(normal, b.name);
  });
  if (distance(normal, nearest->name) <= 2) {
    return fmt::format("unknown key '{}' (did you mean '{}'?)", shown, nearest->name);
  }
  return fmt::format("unknown key '{}' (known: {})", shown, known_keys());
}

bool has_control_character(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

/// Why the keys do not fit together; empty when they do.
std::string_view conflict(const HttpIdentity& identity, CredentialsFor use) {
  if (!identity.username.empty() && !identity.bearer_token.empty()) {
    return "username and bearer-token exclude each other";
  }
  if (use == CredentialsFor::ssh) return {};
  if (identity.username.empty() && !identity.password.empty()) return "password without username";
  if (identity.username.find(':') != std::string::npos) {
    return "username must not contain ':' (RFC 7617)";
  }
  if (identity.client_cert_path.empty() && !identity.client_key_path.empty()) {
    return "client-key without client-cert";
  }
  if (identity.access_key_id.empty() != identity.secret_access_key.empty()) {
    return "access-key-id and secret-access-key belong together";
  }
  if (identity.access_key_id.empty() && !identity.session_token.empty()) {
    return "session-token without access-key-id";
  }
  return {};
}

/// Parses the file's text. No message shows a value.
Result<HttpIdentity> parse(const std::string& text, const std::string& path, CredentialsFor use) {
  const auto bad = [&](const toml::source_position& at, std::string_view why) {
    return Error{Code::invalid_argument,
                 fmt::format("{}: line {}, column {}: {}", path, at.line, at.column, why)};
  };
  toml::table table;
  try {
    table = toml::parse(text);
  } catch (const toml::parse_error& error) {
    // Its description may quote what stands there, which may be a secret.
    return bad(error.source().begin, "not valid TOML (values stand in \"quotes\")");
  }
  HttpIdentity identity;
  const std::filesystem::path directory = std::filesystem::path(path).parent_path();
  for (const auto& [name, node] : table) {
    const auto key = std::find_if(kKeys.begin(), kKeys.end(),
                                  [&, &wanted = name](auto& k) { return k.name == wanted.str(); });
    if (key == kKeys.end()) return bad(name.source().begin, unknown_key(name.str()));
    const auto* value = node.as_string();
    if (value == nullptr || value->get().empty()) {
      return bad(node.source().begin, fmt::format("{} must be a non-empty string", key->name));
    }
    if (has_control_character(value->get())) {
      return bad(node.source().begin, fmt::format("{} contains a control character", key->name));
    }
    identity.*(key->field) = key->is_path ? (directory / value->get()).string() : value->get();
  }
  if (const auto why = conflict(identity, use); !why.empty()) {
    return Error{Code::invalid_argument, fmt::format("{}: {}", path, why)};
  }
  return identity;
}

/// The .netrc that libcurl would read, if it is safe to.
bool has_safe_netrc() {
  const char* home = std::getenv("HOME");
  std::string directory = home != nullptr ? home : "";
  if (directory.empty()) {
    std::array<char, 4096> buffer;
    passwd entry{};
    passwd* found = nullptr;
    if (::getpwuid_r(::geteuid(), &entry, buffer.data(), buffer.size(), &found) != 0 || !found) {
      return false;
    }
    directory = entry.pw_dir;
  }
  const std::string path = directory + "/.netrc";
  const auto file = read_secret_file(path);
  if (file.ok()) return true;
  if (file.error().code != Code::not_found) {
    base::log_warn("not used: {}", file.error().message);
  }
  return false;
}

Status check_readable(const std::string& path) {
  if (path.empty() || ::access(path.c_str(), R_OK) == 0) return {};
  return errno_error(errno, path);
}

struct Loaded {
  HttpIdentity identity;
  FileStamp stamp;
};

Result<Loaded> load(const std::string& path, const std::string& ca_cert_path, CredentialsFor use) {
  Loaded loaded;
  if (!path.empty()) {
    LAZYVOL_TRY_ASSIGN(const SecretFile file, read_secret_file(path));
    LAZYVOL_TRY_ASSIGN(loaded.identity, parse(file.bytes, path, use));
    loaded.stamp = file.stamp;
  }
  HttpIdentity& identity = loaded.identity;
  if (!ca_cert_path.empty()) identity.ca_cert_path = ca_cert_path;
  for (const Field field : {&HttpIdentity::ca_cert_path, &HttpIdentity::client_cert_path,
                            &HttpIdentity::client_key_path, &HttpIdentity::private_key_path,
                            &HttpIdentity::known_hosts_path}) {
    LAZYVOL_TRY(check_readable(identity.*field));
  }
  identity.use_netrc = use == CredentialsFor::http && identity.username.empty() &&
                       identity.bearer_token.empty() && has_safe_netrc();
  return loaded;
}

}  // namespace

struct Credentials::Impl {
  struct State {
    std::shared_ptr<const HttpIdentity> identity;
    std::optional<FileStamp> stamp;  ///< of the file as last looked at, good or broken
    base::Monotonic next_look{};
  };
  /// Reads the file if it is another one than at the last look. True when the identity changed.
  bool refresh(State& current) const;

  const std::string path, ca_cert_path;
  const CredentialsFor use;
  base::Locked<State> state;
};

bool Credentials::Impl::refresh(State& current) const {
  constexpr std::chrono::seconds kBetweenLooks(1);
  if (path.empty()) return false;
  current.next_look = base::system_clock().now() + kBetweenLooks;
  const auto stamp = stamp_of(path);
  const std::optional<FileStamp> seen = stamp.ok() ? std::optional(*stamp) : std::nullopt;
  if (seen == current.stamp) return false;
  current.stamp = seen;
  auto loaded = load(path, ca_cert_path, use);
  if (!loaded.ok()) {
    base::log_warn("credentials stay as they were: {}", loaded.error().message);
    return false;
  }
  current.stamp = loaded->stamp;
  if (loaded->identity == *current.identity) return false;
  current.identity = std::make_shared<const HttpIdentity>(std::move(loaded->identity));
  base::log_info("credentials read again from {}", path);
  return true;
}

Credentials::Credentials(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::shared_ptr<Credentials>> Credentials::open(std::string path, std::string ca_cert_path,
                                                       CredentialsFor use) {
  LAZYVOL_TRY_ASSIGN(Loaded loaded, load(path, ca_cert_path, use));
  auto impl = std::shared_ptr<Impl>(new Impl{std::move(path), std::move(ca_cert_path), use, {}});
  {
    auto state = impl->state.lock();
    state->identity = std::make_shared<const HttpIdentity>(std::move(loaded.identity));
    state->stamp = loaded.stamp;
  }
  return std::shared_ptr<Credentials>(new Credentials(std::move(impl)));
}

std::shared_ptr<const HttpIdentity> Credentials::current() {
  auto state = impl_->state.lock();
  if (base::system_clock().now() >= state->next_look) (void)impl_->refresh(*state);
  return state->identity;
}

bool Credentials::reload() {
  auto state = impl_->state.lock();
  return impl_->refresh(*state);
}

}  // namespace lazyvol::net
