// Listings made up at random, for tests of the tree store.
#pragma once

#include <map>
#include <random>
#include <string>
#include <vector>

#include "cache/tree_store.h"

namespace lazyvol::cache::testing {

inline std::string random_name(std::mt19937_64& random) {
  static constexpr std::string_view kBytes = "ab\x01\x7f\xc3\xff%. -_Z";
  std::string name(1 + random() % (random() % 10 == 0 ? 255 : 6), 'x');
  for (char& byte : name) byte = kBytes[random() % kBytes.size()];
  return valid_name(name) ? name : "valid";
}

inline StoredEntry random_entry(std::mt19937_64& random, std::string name, NodeId id) {
  const auto sometimes = [&] { return random() % 3 == 0; };
  StoredEntry entry;
  entry.remote.name = std::move(name);
  entry.remote.type = static_cast<NodeType>(1 + random() % 3);
  if (sometimes()) entry.remote.size = random() >> (random() % 64);
  if (sometimes()) entry.remote.mtime_ns = static_cast<std::int64_t>(random());
  if (sometimes()) entry.remote.mode = static_cast<std::uint32_t>(random() % 010000);
  if (sometimes()) entry.remote.uid = static_cast<std::uint32_t>(random());
  if (sometimes()) entry.remote.gid = static_cast<std::uint32_t>(random());
  if (sometimes()) entry.remote.symlink_target = "../" + random_name(random);
  if (sometimes()) entry.remote.validator = "\"" + std::to_string(random()) + "\"";
  if (sometimes()) entry.remote.token = "12K 2026-01-01";
  entry.remote.settled = sometimes();
  entry.id = id;
  if (sometimes()) entry.stat_wall_ns = static_cast<std::int64_t>(random());
  return entry;
}

/// Sorted by name, unique names, up to `count` entries, ids rising from a random one.
inline std::vector<StoredEntry> random_listing(std::mt19937_64& random, std::size_t count) {
  std::map<std::string, StoredEntry> entries;
  NodeId id = 1 + (random() >> 8);
  for (std::size_t n = 0; n < count; ++n) {
    std::string name = random_name(random);
    entries[name] = random_entry(random, name, id++);
  }
  std::vector<StoredEntry> result;
  for (auto& [name, entry] : entries) result.push_back(std::move(entry));
  return result;
}

/// Damages `bytes`: flips, cuts, repeats, inserts.
inline void mutate(std::mt19937_64& random, std::string& bytes) {
  for (auto times = 1 + random() % 4; times > 0 && !bytes.empty(); --times) {
    const std::size_t at = random() % bytes.size();
    switch (random() % 4) {
      case 0:
        bytes[at] = static_cast<char>(random());
        break;
      case 1:
        bytes.erase(at, 1 + random() % 8);
        break;
      case 2:
        bytes.insert(at, bytes.substr(at, 1 + random() % 8));
        break;
      default:
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << (random() % 8)));
        break;
    }
  }
}

}  // namespace lazyvol::cache::testing
