// serve_sftp ROOT: the test suite's sshd behind its relay, for scripts. Prints two URLs of ROOT
// (the server's and the relay's) and a directory like ~/.ssh, then obeys (support/obey.h):
//   stop | start        the server goes away, comes back on the same port
#include <filesystem>
#include <iostream>
#include <string>

#include "support/obey.h"
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
  using lazyvol::testing::doing;
  lazyvol::testing::obey(
      relay, {{"stop", doing([&] { sshd.stop(); })}, {"start", doing([&] { sshd.start(); })}});
}
