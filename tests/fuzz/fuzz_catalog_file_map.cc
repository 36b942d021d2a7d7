// File maps of a published volume.
#include <vector>

#include "catalog/file_map.h"
#include "fuzz_target.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lazyvol::catalog;
  using lazyvol::fuzzing::require;
  const auto map = FileMap::open(lazyvol::fuzzing::text(data, size));
  if (!map.ok()) return 0;
  const bool valid = map->validate().ok();
  std::vector<Extent> extents;
  std::uint64_t begin = 0;
  for (std::size_t row = 0; row < map->rows(); ++row) {
    const auto extent = map->extent(row);
    require(extent.ok() || !valid, "each row of a valid map is an extent");
    if (!valid) continue;
    const auto found = map->find(begin);
    require(found.ok() && found->row == row && found->begin == begin, "each extent is found");
    begin += extent->length;
    extents.push_back(*extent);
  }
  (void)map->find(map->size() / 2);
  if (!valid) return 0;
  const auto again = encode_file_map(map->level(), extents);
  require(again.ok() && FileMap::open(*again)->size() == map->size(),
          "what was read can be written");
  return 0;
}
