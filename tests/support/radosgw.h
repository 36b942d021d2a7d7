// A real S3 service for tests: Ceph's radosgw over one monitor and one store in memory.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace lazyvol::testing {

/// Starts in about 15 s, so a test program has one for all of its tests: shared(). Listens on free
/// loopback ports; several programs may each have their own. Everything stops with the object. When
/// it does not come up, the logs are printed and the program ends.
class Radosgw {
 public:
  static constexpr const char* kAccessKey = "LAZYVOLTESTKEY";
  static constexpr const char* kSecretKey = "secret/of+the=tests";

  Radosgw();
  ~Radosgw();
  /// Made at the first call; stopped when the program ends.
  static Radosgw& shared();

  std::uint16_t port() const;
  std::string endpoint() const;  ///< "http://127.0.0.1:PORT"
  /// Another access key of the same user, and its end.
  void add_key(const std::string& access_key, const std::string& secret_key);
  void remove_key(const std::string& access_key);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lazyvol::testing
