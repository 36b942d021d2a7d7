// The sockets that libcurl has open, and to whom.
#pragma once

#include <curl/curl.h>

#include <map>

#include "net/http_url.h"

namespace lazyvol::net {

/// Opens and closes libcurl's sockets (close-on-exec), so that a dead HTTP/2 connection can be
/// broken: libcurl 7.88 has no other way to make it stop using one whose streams all timed out. The
/// transfer thread's; must outlive the multi handle.
class SocketRegistry {
 public:
  /// For CURLOPT_OPENSOCKETFUNCTION: the socket that `address` asks for, or CURL_SOCKET_BAD.
  curl_socket_t open(const curl_sockaddr& address, const Origin& origin, bool shareable);
  /// For CURLOPT_CLOSESOCKETFUNCTION; its data is the registry.
  static int close_callback(void* registry, curl_socket_t socket);

  /// Breaks the shareable connections to `origin`; what is under way there fails at once.
  void break_shareable(const Origin& origin);

 private:
  struct Use {
    Origin origin;
    bool shareable = false;
  };
  std::map<curl_socket_t, Use> open_;
};

}  // namespace lazyvol::net
