#include "net/sigv4.h"

#include <fmt/core.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <ctime>

namespace lazyvol::net {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";

using Digest = std::array<unsigned char, 32>;

std::string hex(const Digest& digest) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const unsigned char byte : digest) {
    out.push_back(kDigits[byte >> 4]);
    out.push_back(kDigits[byte & 15]);
  }
  return out;
}

// Both fail only when memory is out or libcrypto has no SHA-256: no caller could go on.
Digest sha256(std::string_view bytes) {
  Digest digest{};
  unsigned size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1) {
    std::abort();
  }
  return digest;
}

Digest hmac(std::string_view key, std::string_view text) {
  Digest digest{};
  unsigned size = 0;
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
           reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data(),
           &size) == nullptr) {
    std::abort();
  }
  return digest;
}

std::string_view view(const Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::string encode(std::string_view raw) {
  constexpr std::string_view kUnreserved =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  std::string out;
  for (const char c : raw) {
    if (kUnreserved.find(c) != std::string_view::npos) {
      out.push_back(c);
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

std::string trim(std::string_view value) {
  std::string out;
  for (const char c : value) {
    const bool space = c == ' ' || c == '\t';
    if (!space) out.push_back(c);
    if (space && !out.empty() && out.back() != ' ') out.push_back(' ');
  }
  if (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

std::vector<std::pair<std::string, std::string>> sorted(const SignedParts& parts) {
  auto headers = parts.headers;
  std::sort(headers.begin(), headers.end());
  return headers;
}

std::string signed_names(const SignedParts& parts) {
  std::string out;
  for (const auto& [name, value] : sorted(parts)) (out += out.empty() ? "" : ";") += name;
  return out;
}

std::string amz_date_of(std::int64_t now_s) {
  const std::time_t seconds = now_s;
  std::tm time{};
  gmtime_r(&seconds, &time);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y%m%dT%H%M%SZ", &time);
  return text.data();
}

// The pieces of an absolute URL that a signature covers.
struct UrlParts {
  std::string host, path, query;
};

Result<UrlParts> split(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return Error{Code::invalid_argument, "not an absolute URL"};
  const std::string_view default_port = url.substr(0, scheme) == "https" ? ":443" : ":80";
  url.remove_prefix(scheme + 3);
  url = url.substr(0, url.find('#'));
  const std::size_t end = std::min(url.find_first_of("/?"), url.size());
  std::string_view host = url.substr(0, end);
  if (host.ends_with(default_port)) host.remove_suffix(default_port.size());
  url.remove_prefix(end);
  const std::size_t query = url.find('?');
  UrlParts parts{lower(host), std::string(url.substr(0, query)), {}};
  if (query != std::string_view::npos) parts.query = url.substr(query + 1);
  return parts;
}

}  // namespace

std::string canonical_query(const Query& query) {
  Query encoded;
  for (const auto& [name, value] : query) encoded.emplace_back(encode(name), encode(value));
  std::sort(encoded.begin(), encoded.end());
  std::string out;
  for (const auto& [name, value] : encoded) {
    if (!out.empty()) out.push_back('&');
    out.append(name).append("=").append(value);
  }
  return out;
}

std::string sha256_hex(std::string_view bytes) {
  return hex(sha256(bytes));
}

std::string canonical_request(const SignedParts& parts) {
  std::string headers;
  for (const auto& [name, value] : sorted(parts)) {
    headers.append(name).append(":").append(trim(value)).append("\n");
  }
  return fmt::format("{}\n{}\n{}\n{}\n{}\n{}", parts.method, parts.path.empty() ? "/" : parts.path,
                     parts.query, headers, signed_names(parts), parts.payload_sha256);
}

std::string authorization(const SignedParts& parts, const AwsKeys& keys, const SigningScope& scope,
                          std::string_view amz_date) {
  const std::string_view day = amz_date.substr(0, 8);
  const std::string range = fmt::format("{}/{}/{}/aws4_request", day, scope.region, scope.service);
  const std::string to_sign = fmt::format("{}\n{}\n{}\n{}", kAlgorithm, amz_date, range,
                                          sha256_hex(canonical_request(parts)));
  const Digest of_day = hmac("AWS4" + keys.secret_access_key, day);
  const Digest of_region = hmac(view(of_day), scope.region);
  const Digest of_service = hmac(view(of_region), scope.service);
  const Digest signing_key = hmac(view(of_service), "aws4_request");
  return fmt::format("{} Credential={}/{},SignedHeaders={},Signature={}", kAlgorithm,
                     keys.access_key_id, range, signed_names(parts),
                     hex(hmac(view(signing_key), to_sign)));
}

Status sign(HttpRequest& request, const AwsKeys& keys, const SigningScope& scope,
            std::int64_t now_s) {
  LAZYVOL_TRY_ASSIGN(UrlParts url, split(request.url));
  SignedParts parts;
  parts.method = method_name(request.method);
  parts.path = std::move(url.path);
  parts.query = std::move(url.query);
  parts.payload_sha256 = request.payload ? request.payload->sha256 : sha256_hex(request.body);
  const std::string date = amz_date_of(now_s);

  std::erase_if(request.headers, [](const auto& header) {
    const std::string name = lower(header.first);
    return name == "authorization" || name == "x-amz-date" || name == "x-amz-content-sha256" ||
           name == "x-amz-security-token";
  });
  request.headers.emplace_back("x-amz-date", date);
  request.headers.emplace_back("x-amz-content-sha256", parts.payload_sha256);
  if (!keys.session_token.empty()) {
    request.headers.emplace_back("x-amz-security-token", keys.session_token);
  }
  parts.headers.emplace_back("host", std::move(url.host));
  for (const auto& [name, value] : request.headers) {
    std::string lower_name = lower(name);
    if (lower_name.starts_with("x-amz-")) parts.headers.emplace_back(std::move(lower_name), value);
  }
  request.headers.emplace_back("Authorization", authorization(parts, keys, scope, date));
  return {};
}

}  // namespace lazyvol::net
