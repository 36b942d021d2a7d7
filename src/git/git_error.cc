#include "git/git_error.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace lazyvol::git {
namespace {

struct Sign {
  std::string_view text;  ///< lower case
  Code code;
};
// The first that is found decides.
constexpr std::array kSigns = {
    Sign{"authentication failed", Code::access_denied},
    Sign{"could not read username", Code::access_denied},
    Sign{"could not read password", Code::access_denied},
    Sign{"permission denied", Code::access_denied},
    Sign{"host key verification failed", Code::access_denied},
    Sign{"no matching host key", Code::access_denied},
    Sign{"dubious ownership", Code::access_denied},
    Sign{"returned error: 401", Code::access_denied},
    Sign{"returned error: 403", Code::access_denied},
    Sign{"returned error: 429", Code::throttled},
    Sign{"returned error: 503", Code::throttled},
    Sign{"could not resolve", Code::unreachable},
    Sign{"couldn't resolve", Code::unreachable},
    Sign{"failed to connect", Code::unreachable},
    Sign{"couldn't connect", Code::unreachable},
    Sign{"connection refused", Code::unreachable},
    Sign{"no route to host", Code::unreachable},
    Sign{"network is unreachable", Code::unreachable},
    Sign{"operation too slow", Code::timed_out},
    Sign{"timed out", Code::timed_out},
    Sign{"no space left", Code::no_space},
    Sign{"disk quota exceeded", Code::no_space},
    Sign{"fsck error", Code::corrupt},
    Sign{"is corrupt", Code::corrupt},
    Sign{"returned error: 404", Code::not_found},
    Sign{"returned error: 410", Code::not_found},
    Sign{"couldn't find remote ref", Code::not_found},
    Sign{"no such remote ref", Code::not_found},
    Sign{"not our ref", Code::not_found},
    Sign{"does not appear to be a git repository", Code::not_found},
    Sign{"not a git repository", Code::not_found},
    Sign{"repository not found", Code::not_found},
    Sign{"does not exist", Code::not_found},
    Sign{"not found", Code::not_found},
};

// Lines that git adds to every failure and that tell nothing.
constexpr std::array<std::string_view, 6> kIdle = {
    "could not read from remote repository",
    "please make sure you have the correct access rights",
    "and the repository exists.",
    "the remote end hung up unexpectedly",
    "index-pack failed",
    "expected flush after"};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

bool is_idle(std::string_view line) {
  const std::string low = lower(line);
  return std::any_of(kIdle.begin(), kIdle.end(),
                     [&](std::string_view idle) { return low.find(idle) != std::string::npos; });
}

// Progress ends with a carriage return, so that counts as the end of a line, too.
std::string_view take_last_line(std::string_view& text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  const auto end = text.find_last_of("\r\n");
  const auto start = end == std::string_view::npos ? 0 : end + 1;
  const auto line = text.substr(start);
  text = text.substr(0, start);
  return line;
}

std::string_view telling_line(std::string_view errors) {
  std::string_view rest = errors, last;
  while (!rest.empty()) {
    const auto line = take_last_line(rest);
    if (line.empty() || line.starts_with("hint:")) continue;
    if (last.empty()) last = line;
    if (!is_idle(line)) return line;
  }
  return last;
}

// "https://user:secret@host/" is "https://host/".
std::string without_users(std::string_view line) {
  std::string out(line);
  for (auto at = out.find("://"); at != std::string::npos; at = out.find("://", at + 1)) {
    const auto begin = at + 3;
    const auto end = std::min(out.find_first_of("/ '\"", begin), out.size());
    const auto user = out.rfind('@', end);
    if (user != std::string::npos && user >= begin && user < end) {
      out.erase(begin, user + 1 - begin);
    }
  }
  return out;
}

}  // namespace

Error git_error(std::string_view what, std::string_view errors) {
  constexpr std::size_t kLongest = 300;
  std::string line = without_users(telling_line(errors));
  for (const std::string_view prefix : {"fatal: ", "error: ", "ERROR: ", "remote: "}) {
    if (line.starts_with(prefix)) line.erase(0, prefix.size());
  }
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  if (line.size() > kLongest) line.resize(kLongest);
  const std::string all = lower(errors);
  Error error{Code::io_error, std::string(what)};
  for (const Sign& sign : kSigns) {
    if (all.find(sign.text) == std::string::npos) continue;
    error.code = sign.code;
    break;
  }
  error.message += line.empty() ? ": git failed without a word" : ": " + line;
  return error;
}

}  // namespace lazyvol::git
