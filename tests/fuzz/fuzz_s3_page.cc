// Pages of S3 listings, and the directory made of them.
#include "check_listing.h"
#include "source/s3_listing.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lazyvol;
  auto page = source::parse_s3_page(fuzzing::text(data, size));
  if (!page.ok()) {
    fuzzing::require(page.error().code == Code::corrupt, "only corrupt");
    for (const char c : page.error().message) {
      fuzzing::require(c >= ' ' && c <= '~', "one printable line");
    }
    return 0;
  }
  for (const char* prefix : {"", "d/"}) {
    source::S3DirectoryBuilder builder(prefix, 1'795'000'000);
    if (builder.add(*page).ok()) fuzzing::check_listing(std::move(builder).finish());
  }
  return 0;
}
