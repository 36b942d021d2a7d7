#include "net/transfer_error.h"

#include <fmt/core.h>

#include <system_error>

namespace lazyvol::net {

Error transfer_error(CURLcode code, std::string_view host, std::string_view reason, long os_errno) {
  const std::string_view why = reason.empty() ? curl_easy_strerror(code) : reason;
  const auto error = [&](Code kind, std::string_view what) {
    return Error{kind, fmt::format("host '{}': {}: {}", host, what, why)};
  };
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
      return {Code::unreachable, fmt::format("cannot resolve host '{}'", host)};
    case CURLE_COULDNT_RESOLVE_PROXY:
      return {Code::unreachable, fmt::format("cannot resolve the proxy for host '{}'", host)};
    case CURLE_COULDNT_CONNECT:
      return {
          Code::unreachable,
          fmt::format("cannot connect to host '{}': {}", host,
                      os_errno != 0 ? std::generic_category().message(static_cast<int>(os_errno))
                                    : std::string(why))};
    case CURLE_OPERATION_TIMEDOUT:
      return {Code::unreachable, fmt::format("cannot connect to host '{}': no answer", host)};
    case CURLE_SSL_CONNECT_ERROR:
      return error(Code::unreachable, "TLS handshake failed");
    case CURLE_PROXY:
      return error(Code::unreachable, "proxy failed");

    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
      return error(Code::access_denied,
                   "TLS certificate not trusted (option ca-cert names an authority to trust)");
    case CURLE_SSL_CLIENTCERT:
    case CURLE_SSL_CERTPROBLEM:
      return error(Code::access_denied, "client certificate");
    case CURLE_SSL_CACERT_BADFILE:
      return error(Code::access_denied, "cannot load the trusted certificates");

    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
      return error(Code::io_error, "connection broken off");
    case CURLE_BAD_CONTENT_ENCODING:
      return error(Code::corrupt, "cannot decode the response");
    case CURLE_UNSUPPORTED_PROTOCOL:  // not the URL's, which was checked: HTTP/0.9, or no HTTP
      return error(Code::io_error, "what came is not an HTTP response");
    case CURLE_URL_MALFORMAT:
    case CURLE_BAD_FUNCTION_ARGUMENT:
      return error(Code::invalid_argument, "bad request");
    case CURLE_OUT_OF_MEMORY:
      return error(Code::out_of_memory, "transfer failed");
    case CURLE_ABORTED_BY_CALLBACK:
    case CURLE_WRITE_ERROR:
      return {Code::cancelled, "cancelled by the receiver"};
    default:
      return error(Code::io_error, "transfer failed");
  }
}

}  // namespace lazyvol::net
