// How a request becomes options of a libcurl easy handle (the other half of CurlTransfer).
#include <fmt/core.h>

#include <algorithm>
#include <limits>

#include "net/curl_transfer.h"

namespace lazyvol::net {
namespace {

constexpr long kBulkBufferBytes = 512 * 1024;
constexpr long kBufferBytes = 64 * 1024;

bool is_token(std::string_view text) {  // RFC 9110 5.6.2
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           kMarks.find(c) != std::string_view::npos;
  });
}

bool is_field_value(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

/// Fields that must not follow a redirect to another origin.
bool is_secret(std::string_view name) {
  constexpr std::string_view kSecret[] = {"authorization", "cookie", "x-amz-security-token"};
  std::string lower(name);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return std::find(std::begin(kSecret), std::end(kSecret), lower) != std::end(kSecret);
}

}  // namespace

std::string_view method_name(HttpRequest::Method method) {
  switch (method) {
    case HttpRequest::Method::get:
      return "GET";
    case HttpRequest::Method::head:
      return "HEAD";
    case HttpRequest::Method::put:
      return "PUT";
    case HttpRequest::Method::post:
      return "POST";
    case HttpRequest::Method::del:
      return "DELETE";
  }
  return "?";
}

template <class T>
void CurlTransfer::set(CURLoption option, T value) {
  if (set_code_ == CURLE_OK) set_code_ = curl_easy_setopt(easy_.get(), option, value);
}

bool CurlTransfer::may_see_credentials() const {
  return pending_->target.origin == pending_->first_origin;
}

Status CurlTransfer::prepare() {
  if (!easy_) return Error{Code::out_of_memory, "out of memory"};
  const HttpRequest& request = pending_->request;
  if (request.range) {
    const auto [first, length] = *request.range;
    if (length == 0 || first > std::numeric_limits<std::int64_t>::max() ||
        length > std::numeric_limits<std::int64_t>::max() - first) {
      return fail(Code::invalid_argument, "impossible range");
    }
  }
  for (const auto& [name, value] : request.headers) {
    if (!is_token(name) || !is_field_value(value)) {
      return fail(Code::invalid_argument, "malformed request header");
    }
    if ((request.headers_are_secret || is_secret(name)) && !may_see_credentials()) continue;
    if (!add_header(name, value)) return Error{Code::out_of_memory, "out of memory"};
  }
  if (!request.accept_encoding && !add_header("Accept-Encoding", "identity")) {
    return Error{Code::out_of_memory, "out of memory"};
  }
  set_connection();
  set_trust();
  set_credentials();
  set_request();
  if (set_code_ == CURLE_OUT_OF_MEMORY) return Error{Code::out_of_memory, "out of memory"};
  if (set_code_ != CURLE_OK) return fail(Code::invalid_argument, curl_easy_strerror(set_code_));
  return {};
}

bool CurlTransfer::add_header(const std::string& name, const std::string& value) {
  // "Name;" is libcurl's way to send a field without a value.
  return add_line(value.empty() ? name + ";" : name + ": " + value);
}

bool CurlTransfer::add_line(const std::string& line) {
  curl_slist* longer = curl_slist_append(headers_.get(), line.c_str());
  if (longer == nullptr) return false;
  (void)headers_.release();
  headers_.reset(longer);
  return true;
}

void CurlTransfer::set_connection() {
  set(CURLOPT_NOSIGNAL, 1L);
  // Without this, dropping a transfer whose host is still being resolved waits for the resolver,
  // and every other transfer with it.
  set(CURLOPT_QUICK_EXIT, 1L);
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options_.connect_timeout.count()));
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  set(CURLOPT_OPENSOCKETFUNCTION, &CurlTransfer::open_socket_callback);
  set(CURLOPT_OPENSOCKETDATA, static_cast<void*>(this));
  set(CURLOPT_CLOSESOCKETFUNCTION, &SocketRegistry::close_callback);
  set(CURLOPT_CLOSESOCKETDATA, static_cast<void*>(&sockets_));
  set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  if (pending_->request.bypass_proxy) set(CURLOPT_NOPROXY, "*");
  const bool tls = pending_->target.origin.tls();
  set(CURLOPT_HTTP_VERSION, static_cast<long>(tls && pending_->shareable ? CURL_HTTP_VERSION_2TLS
                                                                         : CURL_HTTP_VERSION_1_1));
  set(CURLOPT_PIPEWAIT, pending_->shareable ? 1L : 0L);
  // A wish, which libcurl refuses to a handle that still has a buffer.
  const auto& range = pending_->request.range;
  const bool bulk = range && range->second >= kBulkBytes;
  (void)curl_easy_setopt(easy_.get(), CURLOPT_BUFFERSIZE, bulk ? kBulkBufferBytes : kBufferBytes);
}

void CurlTransfer::set_trust() {
  set(CURLOPT_SSL_VERIFYPEER, 1L);
  set(CURLOPT_SSL_VERIFYHOST, 2L);
  set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  const HttpIdentity* identity = pending_->request.identity.get();
  const curl_version_info_data* built = curl_version_info(CURLVERSION_NOW);
  if (identity != nullptr && !identity->ca_cert_path.empty()) {
    // The OpenSSL backend asks both: the file is loaded, the directory is looked up by name's hash.
    set(CURLOPT_CAINFO, identity->ca_cert_path.c_str());
    if (!options_.system_ca_dir.empty()) set(CURLOPT_CAPATH, options_.system_ca_dir.c_str());
  } else if (built->cainfo != nullptr) {
    // A bundle alone is parsed once and kept; with a directory beside it, for each connection.
    set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));
  }
  if (identity == nullptr || identity->client_cert_path.empty() || !may_see_credentials()) return;
  set(CURLOPT_SSLCERT, identity->client_cert_path.c_str());
  const std::string& key = identity->client_key_path;
  if (!key.empty()) set(CURLOPT_SSLKEY, key.c_str());
}

void CurlTransfer::set_credentials() {
  const HttpIdentity* identity = pending_->request.identity.get();
  if (identity == nullptr || !may_see_credentials()) return;
  if (!identity->username.empty()) {
    set(CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
    set(CURLOPT_USERNAME, identity->username.c_str());
    set(CURLOPT_PASSWORD, identity->password.c_str());
  } else if (!identity->bearer_token.empty()) {
    if (!is_field_value(identity->bearer_token)) {
      set_code_ = CURLE_BAD_FUNCTION_ARGUMENT;
    } else if (!add_header("Authorization", "Bearer " + identity->bearer_token)) {
      set_code_ = CURLE_OUT_OF_MEMORY;
    }
  } else if (identity->use_netrc) {
    set(CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
    set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_OPTIONAL));
  }
}

void CurlTransfer::set_method() {
  const HttpRequest& request = pending_->request;
  switch (request.method) {
    case HttpRequest::Method::get:
      return set(CURLOPT_HTTPGET, 1L);
    case HttpRequest::Method::head:
      return set(CURLOPT_NOBODY, 1L);
    case HttpRequest::Method::del:
      set(CURLOPT_HTTPGET, 1L);
      return set(CURLOPT_CUSTOMREQUEST, "DELETE");
    case HttpRequest::Method::put:
    case HttpRequest::Method::post:
      // The body stays where it is: it must live as long as the transfer, and does.
      set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.content().size()));
      set(CURLOPT_POSTFIELDS, request.content().data());
      set(CURLOPT_NOPROGRESS, 0L);
      set(CURLOPT_XFERINFOFUNCTION, &CurlTransfer::progress_callback);
      set(CURLOPT_XFERINFODATA, static_cast<void*>(this));
      if (request.method == HttpRequest::Method::put) set(CURLOPT_CUSTOMREQUEST, "PUT");
      // No waiting for "100 Continue": few servers send it.
      if (!add_line("Expect:")) set_code_ = CURLE_OUT_OF_MEMORY;
      return;
  }
}

void CurlTransfer::set_request() {
  const HttpRequest& request = pending_->request;
  set(CURLOPT_URL, pending_->target.text.c_str());
  set(CURLOPT_PATH_AS_IS, 1L);
  set(CURLOPT_FOLLOWLOCATION, 0L);  // the engine does, for each server has its own limits and trust
  set_method();
  if (request.range) {
    const auto [first, length] = *request.range;
    set(CURLOPT_RANGE, fmt::format("{}-{}", first, first + length - 1).c_str());
  }
  if (request.accept_encoding) set(CURLOPT_ACCEPT_ENCODING, "");
  set(CURLOPT_USERAGENT, options_.user_agent.c_str());
  set(CURLOPT_HTTPHEADER, headers_.get());
  set(CURLOPT_HEADERFUNCTION, &CurlTransfer::header_callback);
  set(CURLOPT_HEADERDATA, static_cast<void*>(this));
  set(CURLOPT_WRITEFUNCTION, &CurlTransfer::write_callback);
  set(CURLOPT_WRITEDATA, static_cast<void*>(this));
  set(CURLOPT_ERRORBUFFER, reason_.data());
  set(CURLOPT_PRIVATE, static_cast<void*>(this));
}

}  // namespace lazyvol::net
