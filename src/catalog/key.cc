#include "catalog/key.h"

namespace lazyvol::catalog {

std::string id_key(NodeId id) {
  std::string key;
  for (int shift = 56; shift >= 0; shift -= 8) key.push_back(static_cast<char>(id >> shift));
  return key;
}

std::string name_key(NodeId directory, std::string_view name) {
  return id_key(directory).append(name);
}

Result<Place> parse_name_key(std::string_view key) {
  Place place;
  if (key.size() > 8) {
    for (const char byte : key.substr(0, 8)) {
      place.directory = place.directory << 8 | static_cast<unsigned char>(byte);
    }
    place.name = key.substr(8);
  }
  if (place.directory == 0 || !valid_name(place.name)) {
    return Error{Code::corrupt, "a key that names nothing"};
  }
  return place;
}

std::string key_after(std::string_view key) {
  return std::string(key).append(1, '\0');
}

}  // namespace lazyvol::catalog
