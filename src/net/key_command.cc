#include "net/key_command.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>

#include "base/child.h"
#include "base/clock.h"

namespace lazyvol::net {
namespace {

constexpr std::size_t kMaxOutput = 64 * 1024;

// The end of a pipe, and the process that writes into it.
struct Child {
  pid_t pid = -1;
  int output = -1;
  ~Child() {
    if (output >= 0) ::close(output);
    if (pid > 0) base::end_group(pid);
  }
  Child() = default;
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
};

Status start(const std::vector<std::string>& argv, Child& child) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return errno_error(errno, "pipe");
  child.output = ends[0];
  const auto pid = base::spawn(argv, {.output = ends[1]});
  ::close(ends[1]);
  if (!pid.ok()) return pid.error();
  child.pid = *pid;
  return {};
}

}  // namespace

Result<std::vector<std::string>> split_command(std::string_view line) {
  std::vector<std::string> words;
  std::optional<std::string> word;
  char quote = '\0';
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    const bool space = c == ' ' || c == '\t';
    if (quote == '\0' && space) {
      if (word) words.push_back(*std::move(word));
      word.reset();
      continue;
    }
    if (!word) word.emplace();
    if (quote == '\0' && (c == '"' || c == '\'')) {
      quote = c;
    } else if (quote != '\0' && c == quote) {
      quote = '\0';
    } else if (c == '\\' && quote != '\'' && i + 1 < line.size()) {
      word->push_back(line[++i]);
    } else {
      word->push_back(c);
    }
  }
  if (quote != '\0') return Error{Code::invalid_argument, "a quote is not closed"};
  if (word) words.push_back(*std::move(word));
  if (words.empty() || words.front().empty()) return Error{Code::invalid_argument, "is empty"};
  return words;
}

Result<std::string> run_key_command(const std::vector<std::string>& argv,
                                    std::chrono::milliseconds patience,
                                    const std::stop_token& stop) {
  Child child;
  LAZYVOL_TRY(start(argv, child));
  const auto failed = [&](Code code, std::string_view why) {
    return Error{code, fmt::format("{}: {}", argv[0], why)};
  };
  const auto end = base::system_clock().now() + patience;
  std::string output;
  for (;;) {
    if (stop.stop_requested()) return failed(Code::cancelled, "cancelled");
    if (base::system_clock().now() > end) {
      return failed(Code::timed_out, "gave no answer in time");
    }
    constexpr int kLookMs = 50;
    pollfd ready{child.output, POLLIN, 0};
    if (::poll(&ready, 1, kLookMs) <= 0) continue;
    std::array<char, 4096> buffer;
    const ssize_t got = ::read(child.output, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    output.append(buffer.data(), static_cast<std::size_t>(got));
    if (output.size() > kMaxOutput) return failed(Code::too_large, "prints too much");
  }
  // It closed its output: that it also ends is not left to it.
  int status = 0;
  while (::waitpid(child.pid, &status, WNOHANG) == 0) {
    if (stop.stop_requested() || base::system_clock().now() > end) {
      return failed(Code::timed_out, "does not end");
    }
    constexpr int kLookMs = 5;
    ::poll(nullptr, 0, kLookMs);
  }
  child.pid = -1;
  if (status == 0) return output;
  return failed(Code::io_error, fmt::format("failed with status {} (run it by hand to see why)",
                                            base::exit_status(status)));
}

}  // namespace lazyvol::net
