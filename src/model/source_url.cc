#include "model/source_url.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>

namespace lazyvol::model {
namespace {

constexpr std::string_view kKnown =
    "http://, https://, s3://bucket/prefix, sftp://, git+https://, git+http://, git+ssh://, "
    "git+file:///path, file:///path or an absolute path";

Error bad(std::string message) {
  return Error{Code::invalid_argument, std::move(message)};
}

bool is_alnum(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_unreserved(char c) {
  return is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

/// May stand in the path of a URL as it is (RFC 3986 pchar and '/'; '%' is checked elsewhere).
bool is_path_char(char c) {
  return is_unreserved(c) || std::string_view("!$&'()*+,;=:@/%").find(c) != std::string_view::npos;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

void append_encoded(std::string& out, char c) {
  constexpr char digits[] = "0123456789ABCDEF";
  const auto byte = static_cast<unsigned char>(c);
  out.push_back('%');
  out.push_back(digits[byte >> 4]);
  out.push_back(digits[byte & 15]);
}

/// "." or ".." as a component would let the URL mean another place than it names.
bool has_dot_component(std::string_view path) {
  while (!path.empty()) {
    const auto slash = path.find('/');
    const auto part = path.substr(0, slash);
    if (part == "." || part == "..") return true;
    if (slash == std::string_view::npos) break;
    path.remove_prefix(slash + 1);
  }
  return false;
}

Status check_port(std::string_view port) {
  unsigned value = 0;
  const char* end = port.data() + port.size();
  auto [rest, error] = std::from_chars(port.data(), end, value);
  if (port.empty() || error != std::errc() || rest != end || value == 0 || value > 65535) {
    return bad("the port in SOURCE is not a number from 1 to 65535");
  }
  return {};
}

Status check_authority(std::string_view authority) {
  std::string_view host = authority;
  std::optional<std::string_view> port;
  if (authority.starts_with('[')) {
    const auto close = authority.find(']');
    if (close == std::string_view::npos) return bad("SOURCE has '[' without ']' in its host");
    host = authority.substr(1, close - 1);
    const bool address = std::all_of(
        host.begin(), host.end(), [](char c) { return hex_digit(c) >= 0 || c == ':' || c == '.'; });
    if (!address || host.find(':') == std::string_view::npos) {
      return bad("SOURCE has no IPv6 address between '[' and ']'");
    }
    const auto rest = authority.substr(close + 1);
    if (!rest.empty() && rest.front() != ':') return bad("SOURCE has text after ']' in its host");
    if (!rest.empty()) port = rest.substr(1);
  } else {
    if (const auto colon = authority.find(':'); colon != std::string_view::npos) {
      host = authority.substr(0, colon);
      port = authority.substr(colon + 1);
    }
    const bool name = std::all_of(host.begin(), host.end(), [](char c) {
      return is_alnum(c) || c == '-' || c == '.' || c == '_' ||
             static_cast<unsigned char>(c) >= 128;
    });
    if (!name) return bad("the host name in SOURCE has a character that no host name may have");
  }
  if (host.empty()) return bad("SOURCE lacks a host (for example https://host/directory/)");
  if (port) return check_port(*port);
  return {};
}

/// The path of a URL as typed, with what may not stand there encoded.
Result<std::string> url_path(std::string_view tail) {
  if (tail.find('\0') != std::string_view::npos) return bad("SOURCE contains a NUL byte");
  if (tail.find_first_of("?#") != std::string_view::npos) {
    return bad("SOURCE must not have a query or fragment (in a name write ? as %3F, # as %23)");
  }
  LAZYVOL_TRY_ASSIGN(const std::string decoded, percent_decode(tail));
  if (has_dot_component(decoded)) return bad("the path of SOURCE must not contain '.' or '..'");
  std::string path;
  for (const char c : tail) {
    if (is_path_char(c))
      path.push_back(c);
    else
      append_encoded(path, c);
  }
  if (path.empty()) path = "/";
  return path;
}

Result<SourceUrl> parse_http(std::string scheme, std::string_view rest) {
  const auto end = rest.find_first_of("/?#");
  const auto authority = rest.substr(0, end);
  const auto tail = end == std::string_view::npos ? std::string_view() : rest.substr(end);
  if (authority.find('@') != std::string_view::npos) {
    return bad(
        "SOURCE must not hold a user name or password: put them into a file named by "
        "the option credentials=");
  }
  LAZYVOL_TRY(check_authority(authority));
  SourceUrl url{std::move(scheme), lower(authority), {}};
  LAZYVOL_TRY_ASSIGN(url.path, url_path(tail));
  return url;
}

Result<SourceUrl> parse_s3(std::string_view rest) {
  const auto end = std::min(rest.find_first_of("/?#"), rest.size());
  const auto bucket = rest.substr(0, end);
  if (bucket.find_first_of("@:") != std::string_view::npos) {
    return bad(
        "SOURCE names the bucket only (s3://bucket/prefix): keys belong into a file named by the "
        "option credentials=, a server into endpoint=");
  }
  constexpr std::size_t kLongestBucket = 255;  // of the oldest; AWS allows 63 today
  const bool fits = std::all_of(bucket.begin(), bucket.end(), [](char c) {
    return is_alnum(c) || c == '-' || c == '.' || c == '_';
  });
  if (bucket.empty()) return bad("SOURCE lacks a bucket (for example s3://bucket/prefix)");
  if (!fits || bucket.front() == '.' || bucket.front() == '-' || bucket.size() > kLongestBucket) {
    return bad("the bucket in SOURCE is not a name that a bucket may have");
  }
  SourceUrl url{"s3", std::string(bucket), {}};
  LAZYVOL_TRY_ASSIGN(url.path, url_path(rest.substr(end)));
  if (!url.path.ends_with('/')) url.path.push_back('/');
  return url;
}

/// The host keeps its case: ssh_config(5) tells Hosts apart by it.
Result<SourceUrl> parse_sftp(std::string_view rest) {
  const auto end = rest.find_first_of("/?#");
  auto authority = rest.substr(0, end);
  const auto tail = end == std::string_view::npos ? std::string_view() : rest.substr(end);
  SourceUrl url{"sftp", "", {}};
  if (const auto at = authority.rfind('@'); at != std::string_view::npos) {
    LAZYVOL_TRY_ASSIGN(url.user, percent_decode(authority.substr(0, at)));
    authority.remove_prefix(at + 1);
    if (url.user.find(':') != std::string::npos) {
      return bad("SOURCE must not hold a password: put it into a file named by credentials=");
    }
    const bool control = std::any_of(url.user.begin(), url.user.end(), [](char c) {
      return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    });
    if (url.user.empty() || control) return bad("SOURCE has '@' without a user name before it");
  }
  LAZYVOL_TRY(check_authority(authority));
  if (tail.find_first_of("?#") != std::string_view::npos) {
    return bad("SOURCE must not have a query or fragment (in a name write ? as %3F, # as %23)");
  }
  LAZYVOL_TRY_ASSIGN(const std::string decoded, percent_decode(tail));
  if (has_dot_component(decoded)) return bad("the path of SOURCE must not contain '.' or '..'");
  if (decoded.find('\0') != std::string::npos) return bad("SOURCE contains a NUL byte");
  url.authority = authority;
  for (const char c : decoded.empty() ? std::string("/") : decoded) {
    if (c != '/' || !url.path.ends_with('/')) url.path.push_back(c);
  }
  if (url.path.size() > 1 && url.path.ends_with('/')) url.path.pop_back();
  return url;
}

Result<SourceUrl> make_file(std::string_view path) {
  if (path.find('\0') != std::string_view::npos) return bad("SOURCE contains a NUL byte");
  std::string normal = std::filesystem::path(path).lexically_normal().string();
  while (normal.size() > 1 && normal.back() == '/') normal.pop_back();
  if (normal.starts_with("//")) normal.erase(0, 1);
  return SourceUrl{"file", "", std::move(normal)};
}

Result<SourceUrl> parse_file(std::string_view rest) {
  if (rest.starts_with("localhost/")) rest.remove_prefix(9);
  if (!rest.starts_with('/')) {
    return bad("a file URL names an absolute path on this machine: file:///path");
  }
  if (rest.find_first_of("?#") != std::string_view::npos) {
    return bad("SOURCE must not have a query or fragment (in a name write ? as %3F, # as %23)");
  }
  LAZYVOL_TRY_ASSIGN(const std::string path, percent_decode(rest));
  return make_file(path);
}

/// A repository's address is that of the scheme behind "git+"; a slash at its end means nothing.
Result<SourceUrl> parse_git(std::string_view scheme, std::string_view rest) {
  Result<SourceUrl> url =
      bad("unknown scheme in SOURCE: git is reached by git+https, git+http, "
          "git+ssh or git+file");
  if (scheme == "http" || scheme == "https") url = parse_http(std::string(scheme), rest);
  if (scheme == "ssh") url = parse_sftp(rest);
  if (scheme == "file") url = parse_file(rest);
  if (!url.ok()) return url;
  url->scheme = "git+" + std::string(scheme);
  while (url->path.size() > 1 && url->path.ends_with('/')) url->path.pop_back();
  if (scheme == "ssh" && url->authority.starts_with('-')) {
    return bad("the host name in SOURCE must not begin with '-'");
  }
  return url;
}

bool is_scheme(std::string_view text) {
  return !text.empty() && !(text.front() >= '0' && text.front() <= '9') &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return is_alnum(c) || c == '+' || c == '-' || c == '.'; });
}

}  // namespace

std::string SourceUrl::canonical() const {
  if (is_git()) {
    SourceUrl plain = *this;
    plain.scheme.erase(0, std::string_view("git+").size());
    if (plain.scheme == "ssh") plain.scheme = "sftp";
    const std::string text = plain.canonical();
    return scheme + text.substr(text.find("://"));
  }
  if (scheme == "file") return "file://" + percent_encode_path(path);
  if (scheme == "sftp") {
    // The port stays as it was given: 22 may be there to win over ssh_config.
    std::string name;
    for (const char c : user) is_unreserved(c) ? name.push_back(c) : append_encoded(name, c);
    return fmt::format("sftp://{}{}{}{}", name, name.empty() ? "" : "@", authority,
                       percent_encode_path(path));
  }
  std::string_view host = authority;
  if (scheme == "s3") return fmt::format("s3://{}{}", authority, path);
  const std::string_view default_port = scheme == "https" ? ":443" : ":80";
  if (host.ends_with(default_port)) host.remove_suffix(default_port.size());
  return fmt::format("{}://{}{}", scheme, host, path);
}

Result<SourceUrl> parse_source_url(std::string_view text) {
  if (text.empty()) return bad(fmt::format("SOURCE is empty: give {}", kKnown));
  if (text.starts_with('/')) return make_file(text);
  const auto colon = text.find("://");
  if (colon == std::string_view::npos || !is_scheme(text.substr(0, colon))) {
    // The text is not repeated: it may hold a password.
    return bad(fmt::format("SOURCE is neither a URL nor an absolute path: give {}", kKnown));
  }
  std::string scheme = lower(text.substr(0, colon));
  const auto rest = text.substr(colon + 3);
  if (scheme == "http" || scheme == "https") return parse_http(std::move(scheme), rest);
  if (scheme == "file") return parse_file(rest);
  if (scheme == "s3") return parse_s3(rest);
  if (scheme == "sftp" || scheme == "ssh") return parse_sftp(rest);
  if (scheme.starts_with("git+")) return parse_git(std::string_view(scheme).substr(4), rest);
  return bad(fmt::format("unknown scheme '{}' in SOURCE (known: {})", scheme, kKnown));
}

std::string percent_encode_path(std::string_view raw) {
  std::string out;
  out.reserve(raw.size());
  for (const char c : raw) {
    if (is_unreserved(c) || c == '/')
      out.push_back(c);
    else
      append_encoded(out, c);
  }
  return out;
}

Result<std::string> percent_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
    if (high < 0 || low < 0)
      return bad("broken percent escape: % must be followed by two hex digits");
    if (high == 0 && low == 0) return bad("%00 is not allowed in a path");
    out.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return out;
}

}  // namespace lazyvol::model
