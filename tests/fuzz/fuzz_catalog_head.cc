// Heads of published volumes: as they are, and with a checksum made to fit, for what a hostile
// publisher may sign.
#include <string>

#include "catalog/head.h"
#include "fuzz_target.h"

namespace {

void check(std::string_view document) {
  using namespace lazyvol;
  const auto head = catalog::parse_head(document);
  if (!head.ok()) {
    fuzzing::require(head.error().code == Code::corrupt || head.error().code == Code::unsupported,
                     "only corrupt or unsupported");
    return;
  }
  const auto again = catalog::encode_head(head->head, nullptr);
  fuzzing::require(again.ok() && catalog::parse_head(*again)->head == head->head,
                   "what was read can be written");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lazyvol;
  const std::string_view document = fuzzing::text(data, size);
  check(document);
  if (size < 33) return 0;
  std::string body(document.substr(0, size - 33));
  body.push_back('\0');
  check(body + std::string(catalog::sha256("lazyvol head signature 1\n" + body).view()));
  (void)catalog::parse_public_key(document);
  return 0;
}
