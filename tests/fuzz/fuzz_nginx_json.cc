// The JSON index parser, from what nginx writes.
#include "check_listing.h"
#include "source/index_page.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lazyvol;
  static const auto base = source::IndexBase::parse("http://host/a%20dir/");
  fuzzing::check_listing(source::parse_json_index(fuzzing::text(data, size), *base, 1'795'000'000));
  return 0;
}
