// serve_s3: the test suite's radosgw behind its relay, for scripts. Prints two endpoints (the
// server's and the relay's), an access key and a secret key, then obeys (support/obey.h):
//   key NAME SECRET     another access key of the same user
//   unkey NAME          its end
#include <iostream>
#include <string>

#include "support/obey.h"
#include "support/radosgw.h"
#include "support/servers.h"

int main() {
  lazyvol::testing::Radosgw server;
  lazyvol::testing::Relay relay(server.port());
  std::cout << server.endpoint() << " http://127.0.0.1:" << relay.port() << " "
            << lazyvol::testing::Radosgw::kAccessKey << " " << lazyvol::testing::Radosgw::kSecretKey
            << std::endl;
  lazyvol::testing::obey(relay, {{"key",
                                  [&](std::istream& words) -> std::string {
                                    std::string name, secret;
                                    if (!(words >> name >> secret)) return "key NAME SECRET";
                                    server.add_key(name, secret);
                                    return "ok";
                                  }},
                                 {"unkey", [&](std::istream& words) -> std::string {
                                    std::string name;
                                    if (!(words >> name)) return "unkey NAME";
                                    server.remove_key(name);
                                    return "ok";
                                  }}});
}
