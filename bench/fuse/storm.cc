// storm VERB LIST [ROUNDS]: stat(2)s, or opens, reads and closes each path that stands in LIST, in
// that order, and prints the seconds of each round. What metadata.py compares mounts with.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

namespace {

[[noreturn]] void give_up(const std::string& path) {
  std::perror(path.c_str());
  std::exit(1);
}

void stat_one(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) give_up(path);
}

void read_one(const std::string& path) {
  static char buffer[64 * 1024];
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) give_up(path);
  while (true) {
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got < 0) give_up(path);
    if (got < static_cast<ssize_t>(sizeof buffer)) break;
  }
  ::close(fd);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: storm stat|read LIST [ROUNDS]\n");
    return 2;
  }
  std::vector<std::string> paths;
  std::ifstream list(argv[2]);
  for (std::string line; std::getline(list, line);) paths.push_back(line);
  const bool reads = std::strcmp(argv[1], "read") == 0;
  const int rounds = argc > 3 ? std::atoi(argv[3]) : 1;
  for (int round = 0; round < rounds; ++round) {
    const auto start = std::chrono::steady_clock::now();
    for (const std::string& path : paths) reads ? read_one(path) : stat_one(path);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    std::printf("%.6f\n", took.count());
  }
  return 0;
}
