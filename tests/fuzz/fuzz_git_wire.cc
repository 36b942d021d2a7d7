// What a git server sends: its capabilities up to the first mark, then answers of object-info.
#include <string_view>

#include "fuzz_target.h"
#include "git/object_id.h"
#include "git/object_info.h"
#include "git/pkt_line.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lazyvol;
  using namespace lazyvol::git;
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  Capabilities capabilities;
  Sizes sizes;
  bool answers = false;
  while (!bytes.empty()) {
    const std::size_t before = bytes.size();
    const auto pkt = take_pkt(bytes);
    if (!pkt.ok()) return 0;
    fuzzing::require(bytes.size() < before, "each line takes bytes");
    if (pkt->kind != PktKind::data) {
      answers = true;
    } else if (!answers) {
      add_capability(capabilities, pkt->text);
    } else if (!add_object_info(sizes, pkt->text).ok()) {
      return 0;
    }
  }
  for (const auto& [id, length] : sizes) {
    fuzzing::require(is_object_id(id) && length <= INT64_MAX, "sizes are of objects");
  }
  return 0;
}
