#include "publish/object_path.h"

#include <string>

namespace lazyvol::publish {

Status check_object_path(std::string_view path) {
  std::string_view rest = path;
  while (true) {
    const std::size_t slash = rest.find('/');
    const std::string_view name = rest.substr(0, slash);
    if (name.empty() || name == "." || name == ".." || name == kOwnDirectory ||
        name.find('\0') != std::string_view::npos) {
      return Error{Code::invalid_argument, "no object can be called '" + std::string(path) + "'"};
    }
    if (slash == std::string_view::npos) return {};
    rest.remove_prefix(slash + 1);
  }
}

}  // namespace lazyvol::publish
