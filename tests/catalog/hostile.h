// Damage, in every way that is cheap to try.
#pragma once

#include <functional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace lazyvol::catalog {

/// Calls `read` with every truncation of `bytes`, every flip of one bit, and `rounds` heavier
/// mutations, each in a buffer of exactly its size, so that a sanitizer sees a read past the end.
inline void with_damage(const std::string& bytes, int rounds,
                        const std::function<void(std::string_view)>& read) {
  const auto run = [&](const std::string& text) {
    const std::vector<char> exact(text.begin(), text.end());
    read({exact.data(), exact.size()});
  };
  for (std::size_t length = 0; length < bytes.size(); ++length) run(bytes.substr(0, length));
  std::string flipped = bytes;
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      flipped[at] = static_cast<char>(bytes[at] ^ (1 << bit));
      run(flipped);
    }
    flipped[at] = bytes[at];
  }
  std::mt19937_64 random(7);
  for (int round = 0; round < rounds; ++round) {
    std::string text = bytes;
    for (std::uint64_t n = 1 + random() % 6; n-- > 0 && !text.empty();) {
      const std::size_t at = random() % text.size();
      switch (random() % 4) {
        case 0:
          text[at] = static_cast<char>(random());
          break;
        case 1:
          text.erase(at, 1 + random() % 5);
          break;
        case 2:
          text.insert(at, 1 + random() % 5, static_cast<char>(random()));
          break;
        default:
          text[at] = static_cast<char>(random() % 2 == 0 ? 0xff : 0x00);
      }
    }
    run(text);
  }
}

}  // namespace lazyvol::catalog
