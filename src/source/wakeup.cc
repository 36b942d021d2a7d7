#include "source/wakeup.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

namespace lazyvol::source {

Wakeup::Wakeup() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (fd_ < 0) std::abort();  // out of descriptors while starting a thread
}

Wakeup::~Wakeup() {
  ::close(fd_);
}

void Wakeup::signal() {
  const std::uint64_t one = 1;
  if (::write(fd_, &one, sizeof one) < 0) return;  // full, so it is readable already
}

void Wakeup::drain() {
  std::uint64_t count = 0;
  if (stopping() || ::read(fd_, &count, sizeof count) < 0) return;
  if (stopping()) signal();
}

void Wakeup::stop() {
  stopping_ = true;
  signal();
}

}  // namespace lazyvol::source
