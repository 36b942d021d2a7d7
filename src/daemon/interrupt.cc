#include "daemon/interrupt.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cstdint>

#include "base/workers.h"

namespace lazyvol::daemon {

namespace {
constexpr int kSignalExit = 128;  // as shells count
}

Interrupt::Interrupt() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &set, &before_);
  signals_ = signalfd(-1, &set, SFD_CLOEXEC);
  end_ = eventfd(0, EFD_CLOEXEC);
  thread_ = std::thread([this] {
    base::name_this_thread("lv-signal");
    watch();
  });
}

Interrupt::~Interrupt() {
  const std::uint64_t one = 1;
  (void)!write(end_, &one, sizeof one);
  thread_.join();
  close(signals_);
  close(end_);
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

int Interrupt::exit_status() const {
  return signal_ == 0 ? 0 : kSignalExit + signal_;
}

void Interrupt::watch() {
  for (;;) {
    pollfd fds[2] = {{signals_, POLLIN, 0}, {end_, POLLIN, 0}};
    if (poll(fds, 2, -1) < 0) continue;
    if (fds[1].revents != 0) return;
    signalfd_siginfo info{};
    if (read(signals_, &info, sizeof info) != sizeof info) continue;
    const int number = static_cast<int>(info.ssi_signo);
    if (signal_ != 0) _exit(kSignalExit + number);
    signal_ = number;
    stop_.request_stop();
  }
}

}  // namespace lazyvol::daemon
