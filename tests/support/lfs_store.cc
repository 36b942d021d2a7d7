#include "support/lfs_store.h"

#include <fmt/core.h>

#include <fstream>
#include <sstream>

#include "support/servers.h"

namespace lazyvol::testing {
namespace fs = std::filesystem;

LfsStore::LfsStore() {
  fs::create_directory(directory() / "objects");
  behave("{}");
}

std::string LfsStore::oid(std::string_view bytes) {
  const TempDir temp;
  write_file(temp.path() / "bytes", bytes);
  return run({"sha256sum", (temp.path() / "bytes").string()}).output.substr(0, 64);
}

std::string LfsStore::pointer(std::string_view bytes) {
  return pointer_to(oid(bytes), bytes.size());
}

std::string LfsStore::pointer_to(std::string_view oid, std::size_t size) {
  return fmt::format("version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize {}\n", oid,
                     size);
}

std::string LfsStore::add(std::string_view bytes) const {
  std::string name = oid(bytes);
  write_file(directory() / "objects" / name, bytes);
  return name;
}

void LfsStore::behave(std::string_view json) const {
  write_file(directory() / "behaviour.json", json);
}

std::vector<LfsQuestion> LfsStore::questions() const {
  std::vector<LfsQuestion> out;
  std::ifstream lines(directory() / "questions");
  for (std::string line; std::getline(lines, line);) {
    LfsQuestion question;
    question.authorization = line.substr(0, line.find('\t'));
    std::istringstream oids(line.substr(line.find('\t') + 1));
    for (std::string oid; oids >> oid;) question.oids.push_back(oid);
    out.push_back(std::move(question));
  }
  return out;
}

}  // namespace lazyvol::testing
