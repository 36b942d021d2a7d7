// serve ROOT [html]: the test suite's nginx behind its relay, for scripts. Prints the URL, then
// obeys (support/obey.h):
//   stop | start        the server goes away, comes back on the same port
//   clear               forgets the access log
//   totals              "REQUESTS BODY_BYTES" of the access log
//   content             the same, without listings (URIs that end in '/') and HEAD
//   repeated            bytes of the log's ranges that were sent more than once
#include <algorithm>
#include <charconv>
#include <cstdint>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "support/obey.h"
#include "support/servers.h"

namespace {

using lazyvol::testing::AccessLine;
using lazyvol::testing::doing;

bool is_content(const AccessLine& line) {
  return line.method == "GET" && !line.uri.ends_with('/') && line.status < 300;
}

std::string totals(const std::vector<AccessLine>& log, bool content_only) {
  std::uint64_t requests = 0, bytes = 0;
  for (const auto& line : log) {
    if (content_only && !is_content(line)) continue;
    ++requests;
    bytes += line.body_bytes;
  }
  return std::to_string(requests) + " " + std::to_string(bytes);
}

/// First byte of "bytes=A-B"; 0 without a range.
std::uint64_t range_begin(const std::string& range) {
  const auto equals = range.find('=');
  std::uint64_t begin = 0;
  if (equals != std::string::npos) {
    std::from_chars(range.data() + equals + 1, range.data() + range.size(), begin);
  }
  return begin;
}

std::uint64_t repeated(const std::vector<AccessLine>& log) {
  std::map<std::string, std::vector<std::pair<std::uint64_t, std::uint64_t>>> spans;
  for (const auto& line : log) {
    if (!is_content(line)) continue;
    const std::uint64_t begin = range_begin(line.range);
    spans[line.uri].emplace_back(begin, begin + line.body_bytes);
  }
  std::uint64_t total = 0;
  for (auto& [uri, list] : spans) {
    std::sort(list.begin(), list.end());
    std::uint64_t covered = 0;
    for (const auto& [begin, end] : list) {
      total += std::min(std::max(covered, begin), end) - begin;
      covered = std::max(covered, end);
    }
  }
  return total;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: serve ROOT [html]\n";
    return 2;
  }
  lazyvol::testing::NginxOptions options;
  options.json_index = !(argc > 2 && std::string(argv[2]) == "html");
  lazyvol::testing::Nginx nginx(argv[1], options);
  lazyvol::testing::Relay relay(nginx.port());
  std::cout << nginx.url() << " http://127.0.0.1:" << relay.port() << "/" << std::endl;
  const auto log = [&] { return nginx.access_log(); };
  lazyvol::testing::obey(
      relay, {{"stop", doing([&] { nginx.stop(); })},
              {"start", doing([&] { nginx.start(); })},
              {"clear", doing([&] { nginx.clear_access_log(); })},
              {"totals", [&](std::istream&) { return totals(log(), false); }},
              {"content", [&](std::istream&) { return totals(log(), true); }},
              {"repeated", [&](std::istream&) { return std::to_string(repeated(log())); }}});
}
