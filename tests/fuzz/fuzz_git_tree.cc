// The output of `git ls-tree`, in pieces, and the tree that is made of it.
#include <string>
#include <string_view>

#include "fuzz_target.h"
#include "git/snapshot.h"
#include "git/tree_rows.h"
#include "lazyvol/entry.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lazyvol;
  using namespace lazyvol::git;
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (bytes.empty()) return 0;
  const std::size_t piece = 1 + static_cast<unsigned char>(bytes.front());
  bytes.remove_prefix(1);
  Snapshot snapshot;
  std::size_t rows = 0;
  TreeRowReader reader([&](const TreeRow& row) {
    ++rows;
    return snapshot.add(Snapshot::kRoot, 0, row);
  });
  while (!bytes.empty()) {
    const std::string_view part = bytes.substr(0, piece);
    bytes.remove_prefix(part.size());
    if (!reader.add(part).ok()) return 0;
  }
  if (!reader.finish().ok()) return 0;
  snapshot.finish();
  fuzzing::require(snapshot.size() + snapshot.left_out() == rows + 1, "each row is one name");
  for (Snapshot::Number number = 1; number < snapshot.size(); ++number) {
    fuzzing::require(valid_name(snapshot.name(number)), "names can be shown");
    fuzzing::require(snapshot.path(number).size() <= kMaxPath, "paths can be shown");
    fuzzing::require(snapshot.node(number).parent < number, "parents come first");
  }
  return 0;
}
