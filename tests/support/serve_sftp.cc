// serve_sftp ROOT: the test suite's sshd behind its relay, for scripts. Prints two URLs of ROOT
// (the server's and the relay's) and a directory like ~/.ssh, then obeys lines on standard input,
// each answered by one line, until end of file:
//   stop | start        the server goes away, comes back on the same port
//   delay MS            one-way delay of the relay
//   connections         accepted by the relay so far
#include <chrono>
#include <filesystem>
#include <iostream>
#include <sstream>
#include <string>

#include "support/servers.h"
#include "support/sshd.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: serve_sftp ROOT\n";
    return 2;
  }
  lazyvol::testing::Sshd sshd;
  lazyvol::testing::Relay relay(sshd.port());
  sshd.trust_port(relay.port());
  const std::string root = std::filesystem::absolute(argv[1]).string();
  const auto url = [&](std::uint16_t port) {
    return "sftp://127.0.0.1:" + std::to_string(port) + root;
  };
  std::cout << url(sshd.port()) << " " << url(relay.port()) << " " << sshd.client_dir().string()
            << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string verb, answer = "ok";
    words >> verb;
    if (verb == "stop") {
      sshd.stop();
    } else if (verb == "start") {
      sshd.start();
    } else if (verb == "delay") {
      int ms = 0;
      words >> ms;
      relay.set_delay(std::chrono::milliseconds(ms));
    } else if (verb == "connections") {
      answer = std::to_string(relay.connections());
    } else {
      answer = "unknown verb";
    }
    std::cout << answer << std::endl;
  }
}
