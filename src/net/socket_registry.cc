#include "net/socket_registry.h"

#include <sys/socket.h>
#include <unistd.h>

namespace lazyvol::net {

curl_socket_t SocketRegistry::open(const curl_sockaddr& address, const Origin& origin,
                                   bool shareable) {
  const int fd = ::socket(address.family, address.socktype | SOCK_CLOEXEC, address.protocol);
  if (fd < 0) return CURL_SOCKET_BAD;
  open_.insert_or_assign(fd, Use{origin, shareable});
  return fd;
}

int SocketRegistry::close_callback(void* registry, curl_socket_t socket) {
  static_cast<SocketRegistry*>(registry)->open_.erase(socket);
  return ::close(socket);
}

void SocketRegistry::break_shareable(const Origin& origin) {
  for (const auto& [socket, use] : open_) {
    if (use.shareable && use.origin == origin) ::shutdown(socket, SHUT_RDWR);
  }
}

}  // namespace lazyvol::net
