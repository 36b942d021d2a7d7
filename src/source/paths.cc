#include "source/paths.h"

#include "lazyvol/entry.h"

namespace lazyvol::source {

Status check_path(std::string_view path) {
  if (path.empty()) return {};
  if (path.size() > kMaxPath) return Error{Code::name_too_long, "the path is too long"};
  std::size_t begin = 0;
  while (begin <= path.size()) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view name = path.substr(begin, end - begin);
    if (name.size() > kMaxName) return Error{Code::name_too_long, "a name in the path is too long"};
    if (!valid_name(name)) {
      return Error{Code::invalid_argument, "not a path within the source: " + printable(path)};
    }
    begin = end + 1;
  }
  return {};
}

std::string_view last_component(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string printable(std::string_view text) {
  constexpr std::size_t kMost = 80;
  std::string out(text.substr(0, kMost));
  for (char& c : out) {
    if (c < 0x20 || c > 0x7e) c = '?';
  }
  if (text.size() > kMost) out += "...";
  return out;
}

}  // namespace lazyvol::source
