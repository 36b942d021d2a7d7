#include "publish/tree.h"

#include <algorithm>

namespace lazyvol::publish {

std::string Tree::path(std::uint32_t number) const {
  std::vector<std::uint32_t> way;
  for (; number != 0; number = nodes[number].parent) way.push_back(number);
  std::string result;
  for (auto at = way.rbegin(); at != way.rend(); ++at) {
    if (!result.empty()) result += '/';
    result += name(nodes[*at]);
  }
  return result;
}

}  // namespace lazyvol::publish
