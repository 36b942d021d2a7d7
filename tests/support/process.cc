#include "support/process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <iostream>
#include <random>
#include <thread>

#include "support/temp_dir.h"

extern char** environ;

namespace lazyvol::testing {
namespace {

constexpr std::chrono::seconds kPatience{10};

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> out;
  for (auto& string : strings) out.push_back(string.data());
  out.push_back(nullptr);
  return out;
}

std::vector<std::string> merged_environment(const Process::Spec& spec) {
  std::vector<std::string> out;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const auto name = text.substr(0, text.find('='));
    bool replaced = false;
    for (const auto& [key, value] : spec.environment) replaced |= key == name;
    if (!replaced) out.emplace_back(text);
  }
  for (const auto& [key, value] : spec.environment) out.push_back(key + "=" + value);
  return out;
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

/// An abstract unix socket as a lock: it goes with the process, whatever happens to it.
bool lock_port(std::uint16_t port) {
  const int lock = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  const std::string text = "lazyvol-test-port-" + std::to_string(port);
  std::memcpy(name.sun_path + 1, text.data(), text.size());
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + text.size());
  if (::bind(lock, reinterpret_cast<const sockaddr*>(&name), length) == 0) return true;
  ::close(lock);
  return false;
}

bool can_bind(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const auto address = loopback(port);
  const bool bound = ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return bound;
}

void print_tail(const std::filesystem::path& log) {
  if (!std::filesystem::exists(log)) return;
  const std::string text = read_file(log);
  constexpr std::size_t kTail = 8192;
  std::cerr << "--- " << log << "\n"
            << text.substr(text.size() - std::min(kTail, text.size())) << "---\n";
}

}  // namespace

Process::Process(const Spec& spec) {
  auto argv_text = spec.argv;
  auto environment_text = merged_environment(spec);
  const auto argv = pointers(argv_text);
  const auto environment = pointers(environment_text);
  const int log = ::open(spec.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ == 0) {  // async-signal-safe calls only: the parent may have threads
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent) ::_exit(126);
    ::dup2(null, 0);
    ::dup2(log, 1);
    ::dup2(log, 2);
    ::execvpe(argv[0], argv.data(), environment.data());
    ::_exit(127);
  }
  ::close(log);
  ::close(null);
}

Process::~Process() {
  stop();
}

Process& Process::operator=(Process&& other) noexcept {
  stop();
  pid_ = std::exchange(other.pid_, -1);
  return *this;
}

bool Process::running() {
  if (pid_ <= 0) return false;
  if (::waitpid(pid_, nullptr, WNOHANG) == 0) return true;
  pid_ = -1;
  return false;
}

void Process::stop() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGTERM);
  if (!await([this] { return !running(); })) kill();
}

bool Process::kill() {
  if (!running()) return false;
  ::kill(pid_, SIGKILL);
  ::waitpid(std::exchange(pid_, -1), nullptr, 0);
  return true;
}

std::uint16_t reserve_port() {
  std::random_device seed;
  std::uniform_int_distribution<int> pick(20000, 32000);
  for (int attempt = 0; attempt < 1000; ++attempt) {
    const auto port = static_cast<std::uint16_t>(pick(seed));
    if (can_bind(port) && lock_port(port)) return port;
  }
  std::cerr << "no free port between 20000 and 32000" << std::endl;
  std::abort();
}

bool accepts(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const auto address = loopback(port);
  const bool ok = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return ok;
}

Process start_server(const Process::Spec& spec, std::uint16_t port) {
  Process process(spec);
  bool ended = false;
  const bool up = await([&] {
    ended = !process.running();
    return ended || accepts(port);
  });
  if (up && !ended) return process;
  std::cerr << spec.argv.front() << (ended ? " ended" : " does not listen")
            << " instead of serving port " << port << " (is it installed?)" << std::endl;
  print_tail(spec.log);
  process.stop();
  std::abort();
}

bool await(const std::function<bool()>& ready) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!ready()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

void print_log_on_failure(const std::filesystem::path& log) {
  const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
  if (test != nullptr && test->result()->Failed()) print_tail(log);
}

}  // namespace lazyvol::testing
