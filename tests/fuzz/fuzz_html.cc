// The HTML index parser, and the choice between it and the other by content.
#include "check_listing.h"
#include "source/index_page.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lazyvol;
  const std::string_view body = fuzzing::text(data, size);
  fuzzing::check_listing(source::parse_index(body, "text/html", "http://h/pub/", 1'795'000'000));
  fuzzing::check_listing(source::parse_index(body, "", "http://h/", 1'795'000'000));
  return 0;
}
