// serve_s3: the test suite's radosgw behind its relay, for scripts. Prints two endpoints (the
// server's and the relay's), an access key and a secret key, then obeys lines on standard input,
// each answered by one line, until end of file:
//   delay MS            one-way delay of the relay
//   connections         accepted by the relay so far
//   key NAME SECRET     another access key of the same user
//   unkey NAME          its end
#include <chrono>
#include <iostream>
#include <sstream>
#include <string>

#include "support/radosgw.h"
#include "support/servers.h"

int main() {
  lazyvol::testing::Radosgw server;
  lazyvol::testing::Relay relay(server.port());
  std::cout << server.endpoint() << " http://127.0.0.1:" << relay.port() << " "
            << lazyvol::testing::Radosgw::kAccessKey << " " << lazyvol::testing::Radosgw::kSecretKey
            << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string verb, name, secret, answer = "ok";
    words >> verb;
    if (verb == "delay") {
      int ms = 0;
      words >> ms;
      relay.set_delay(std::chrono::milliseconds(ms));
    } else if (verb == "connections") {
      answer = std::to_string(relay.connections());
    } else if (verb == "key" && words >> name >> secret) {
      server.add_key(name, secret);
    } else if (verb == "unkey" && words >> name) {
      server.remove_key(name);
    } else {
      answer = "unknown verb";
    }
    std::cout << answer << std::endl;
  }
}
