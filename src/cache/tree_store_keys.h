// The keys of the tree in the index. All numbers are big-endian, so that keys sort as numbers do.
//
//   directories  volume (4 B) directory (8 B) 0x00                header of a directory
//                volume (4 B) directory (8 B) 0x01 first name     a chunk of its entries
//   nodes        volume (4 B) node (8 B)                          where a node is
//   volumes      'n' name                                         number of a volume (4 B)
//                'v' volume (4 B)                                 first node id never handed out (8
//                B) 'c'                                              first volume number unused (4
//                B)
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cache/tree_store.h"

namespace lazyvol::cache {

template <class T>
std::string big_endian(T value) {
  std::string bytes(sizeof(T), '\0');
  for (std::size_t n = sizeof(T); n-- > 0; value = static_cast<T>(value >> 8)) {
    bytes[n] = static_cast<char>(value & 0xff);
  }
  return bytes;
}

/// nullopt when `bytes` has another length.
template <class T>
std::optional<T> from_big_endian(std::string_view bytes) {
  if (bytes.size() != sizeof(T)) return std::nullopt;
  T value = 0;
  for (const char byte : bytes) {
    value = static_cast<T>((value << 8) | static_cast<unsigned char>(byte));
  }
  return value;
}

inline std::string node_key(VolumeId volume, NodeId id) {
  return big_endian(volume) + big_endian(id);
}
inline std::string header_key(VolumeId volume, NodeId directory) {
  return node_key(volume, directory) + '\0';
}
inline std::string chunk_prefix(VolumeId volume, NodeId directory) {
  return node_key(volume, directory) + '\1';
}
/// Greater than every key of the directory.
inline std::string directory_end(VolumeId volume, NodeId directory) {
  return node_key(volume, directory) + '\2';
}

}  // namespace lazyvol::cache
