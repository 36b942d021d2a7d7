// Profiles, which are handed from one machine to another.
#include "fuzz_target.h"
#include "model/profile.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lazyvol;
  const auto profile = model::parse_profile(fuzzing::text(data, size));
  if (!profile.ok()) return 0;
  for (const auto& item : *profile) {
    fuzzing::require(!item.directory || item.ranges.empty(), "a directory has no ranges");
    std::uint64_t end = 0;
    for (const auto& range : item.ranges) {
      fuzzing::require(range.begin < range.end && (end == 0 || range.begin > end),
                       "ranges are ascending and apart");
      end = range.end;
    }
  }
  const auto again = model::parse_profile(model::format_profile(*profile));
  fuzzing::require(again.ok() && *again == *profile, "a profile comes back");
  return 0;
}
