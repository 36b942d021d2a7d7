#include "lazyvol/entry.h"

namespace lazyvol {

bool valid_name(std::string_view name) noexcept {
  if (name.empty() || name.size() > kMaxName || name == "." || name == "..") return false;
  return name.find('/') == std::string_view::npos && name.find('\0') == std::string_view::npos;
}

}  // namespace lazyvol
