#include "net/http_url.h"

#include <curl/curl.h>
#include <fmt/core.h>

#include <charconv>
#include <memory>

#include "net/redact.h"

namespace lazyvol::net {
namespace {

struct UrlDeleter {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
using UrlHandle = std::unique_ptr<CURLU, UrlDeleter>;

std::string part_of(CURLU* url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK || text == nullptr) return {};
  std::string out = text;
  curl_free(text);
  return out;
}

std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

Origin origin_of(CURLU* url) {
  Origin origin{lower(part_of(url, CURLUPART_SCHEME)), lower(part_of(url, CURLUPART_HOST))};
  const std::string port = part_of(url, CURLUPART_PORT, CURLU_DEFAULT_PORT);
  std::from_chars(port.data(), port.data() + port.size(), origin.port);
  return origin;
}

bool is_http(const Origin& origin) {
  return origin.scheme == "http" || origin.scheme == "https";
}

}  // namespace

Result<HttpUrl> parse_http_url(const std::string& text) {
  const UrlHandle url(curl_url());
  if (!url) return Error{Code::out_of_memory, "out of memory"};
  const bool has_nul = text.find('\0') != std::string::npos;
  const CURLUcode code = has_nul ? CURLUE_MALFORMED_INPUT
                                 : curl_url_set(url.get(), CURLUPART_URL, text.c_str(),
                                                CURLU_PATH_AS_IS | CURLU_DISALLOW_USER);
  if (code != CURLUE_OK) {
    return Error{Code::invalid_argument, fmt::format("not a usable URL: '{}': {}", redact_url(text),
                                                     curl_url_strerror(code))};
  }
  HttpUrl out{text, origin_of(url.get())};
  if (!is_http(out.origin)) {
    return Error{Code::invalid_argument,
                 fmt::format("neither http nor https: '{}'", redact_url(text))};
  }
  return out;
}

Result<HttpUrl> resolve_redirect(const HttpUrl& base, const std::string& location) {
  constexpr std::size_t kLongestLocation = 16 * 1024;
  const UrlHandle url(curl_url());
  if (!url) return Error{Code::out_of_memory, "out of memory"};
  const auto failed = [&](Code code, std::string_view why) {
    return Error{code, fmt::format("redirected from {}: {}", redact_url(base.text), why)};
  };
  if (location.size() > kLongestLocation || location.find('\0') != std::string::npos) {
    return failed(Code::io_error, "the new address is not usable");
  }
  // Servers send spaces and raw UTF-8 in Location, and curl(1) follows them: encode, do not refuse.
  constexpr unsigned kFlags = CURLU_URLENCODE | CURLU_ALLOW_SPACE | CURLU_NON_SUPPORT_SCHEME;
  if (curl_url_set(url.get(), CURLUPART_URL, base.text.c_str(), CURLU_PATH_AS_IS) != CURLUE_OK ||
      curl_url_set(url.get(), CURLUPART_URL, location.c_str(), kFlags) != CURLUE_OK) {
    return failed(Code::io_error, "the new address is not usable");
  }
  curl_url_set(url.get(), CURLUPART_USER, nullptr, 0);
  curl_url_set(url.get(), CURLUPART_PASSWORD, nullptr, 0);
  curl_url_set(url.get(), CURLUPART_FRAGMENT, nullptr, 0);
  HttpUrl out{part_of(url.get(), CURLUPART_URL, CURLU_NON_SUPPORT_SCHEME), origin_of(url.get())};
  if (!is_http(out.origin)) {
    return failed(Code::unsupported,
                  fmt::format("'{}' is neither http nor https", redact_url(out.text)));
  }
  if (base.origin.tls() && !out.origin.tls()) {
    return failed(Code::access_denied,
                  fmt::format("{} is not protected by TLS", redact_url(out.text)));
  }
  return out;
}

}  // namespace lazyvol::net
