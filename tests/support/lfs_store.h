// Objects of git-lfs and a server that says where they are, for tests.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "support/temp_dir.h"

namespace lazyvol::testing {

/// One question to the Batch API.
struct LfsQuestion {
  std::string authorization;  ///< the field of that name
  std::vector<std::string> oids;
};

/// A directory of objects, for GitHttpOptions::lfs.
class LfsStore {
 public:
  LfsStore();
  const std::filesystem::path& directory() const { return temp_.path(); }
  /// Keeps the bytes as DIRECTORY/objects/OID; the oid.
  std::string add(std::string_view bytes) const;
  /// What git-lfs would commit for them.
  static std::string pointer(std::string_view bytes);
  static std::string pointer_to(std::string_view oid, std::size_t size);
  static std::string oid(std::string_view bytes);

  /// How the API answers from now on: a JSON object of
  ///   base     URL below which objects are (else they are at the server's own /objects/)
  ///   header, expires_in, expires_at, authenticated   as the API has them
  ///   status   of HTTP      body   in place of the answer      delay   seconds before it
  void behave(std::string_view json) const;
  std::vector<LfsQuestion> questions() const;

 private:
  TempDir temp_;
};

}  // namespace lazyvol::testing
