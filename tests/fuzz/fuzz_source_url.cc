// SOURCE as typed by a user.
#include "fuzz_target.h"
#include "model/source_url.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lazyvol;
  const auto url = model::parse_source_url(fuzzing::text(data, size));
  if (!url.ok()) {
    fuzzing::require(!url.error().message.empty(), "an error says why");
    return 0;
  }
  const std::string canonical = url->canonical();
  const auto again = model::parse_source_url(canonical);
  fuzzing::require(again.ok() && *again == *url, "the canonical form parses to the same");
  fuzzing::require(again->canonical() == canonical, "the canonical form is its own");
  fuzzing::require(url->authority.find('@') == std::string::npos, "no user information");
  return 0;
}
