// Mount options as given to -o.
#include "fuzz_target.h"
#include "model/options.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lazyvol;
  const auto options = model::parse_mount_options(fuzzing::text(data, size));
  if (!options.ok()) {
    fuzzing::require(!options.error().message.empty(), "an error says why");
    return 0;
  }
  const auto again = model::parse_mount_options(model::format_mount_options(*options));
  fuzzing::require(again.ok() && *again == *options, "formatted options parse to the same");
  return 0;
}
