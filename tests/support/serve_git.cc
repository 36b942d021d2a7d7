// serve_git ROOT: git-http-backend over the repositories below ROOT, behind the test suite's relay,
// for scripts. Prints two URLs of ROOT/repo.git (the server's and the relay's), then obeys
// (support/obey.h):
//   requests            answered by the server so far
#include <filesystem>
#include <iostream>
#include <string>

#include "support/git_server.h"
#include "support/obey.h"
#include "support/servers.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: serve_git ROOT\n";
    return 2;
  }
  lazyvol::testing::GitHttpServer server(std::filesystem::absolute(argv[1]));
  lazyvol::testing::Relay relay(server.nginx().port());
  std::cout << server.url() << " http://127.0.0.1:" << relay.port() << "/git/repo.git" << std::endl;
  lazyvol::testing::obey(relay, {{"requests", [&](std::istream&) {
                                    return std::to_string(server.nginx().access_log().size());
                                  }}});
}
