// serve_git ROOT: git-http-backend over the repositories below ROOT, behind the test suite's relay,
// for scripts. Prints two URLs of ROOT/repo.git (the server's and the relay's), then obeys lines on
// standard input, each answered by one line, until end of file:
//   delay MS            one-way delay of the relay
//   requests            answered by the server so far
#include <chrono>
#include <filesystem>
#include <iostream>
#include <sstream>
#include <string>

#include "support/git_server.h"
#include "support/servers.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: serve_git ROOT\n";
    return 2;
  }
  lazyvol::testing::GitHttpServer server(std::filesystem::absolute(argv[1]));
  lazyvol::testing::Relay relay(server.nginx().port());
  std::cout << server.url() << " http://127.0.0.1:" << relay.port() << "/git/repo.git" << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string verb, answer = "ok";
    words >> verb;
    if (verb == "delay") {
      int ms = 0;
      words >> ms;
      relay.set_delay(std::chrono::milliseconds(ms));
    } else if (verb == "requests") {
      answer = std::to_string(server.nginx().access_log().size());
    } else {
      answer = "unknown verb";
    }
    std::cout << answer << std::endl;
  }
}
