#include "support/obey.h"

#include <chrono>
#include <iostream>
#include <sstream>
#include <utility>

namespace lazyvol::testing {

Verb doing(std::function<void()> what) {
  return [what = std::move(what)](std::istream&) -> std::string {
    what();
    return "ok";
  };
}

void obey(Relay& relay, std::map<std::string, Verb> verbs) {
  verbs["delay"] = [&relay](std::istream& words) -> std::string {
    int ms = 0;
    if (!(words >> ms)) return "delay of how many milliseconds?";
    relay.set_delay(std::chrono::milliseconds(ms));
    return "ok";
  };
  verbs["connections"] = [&relay](std::istream&) { return std::to_string(relay.connections()); };
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string verb;
    words >> verb;
    const auto known = verbs.find(verb);
    std::cout << (known == verbs.end() ? "unknown verb" : known->second(words)) << std::endl;
  }
}

}  // namespace lazyvol::testing
