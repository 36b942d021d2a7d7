// Heads of published volumes: as they are, and with a checksum made to fit, for what a hostile
// publisher may sign.
#include <string>

#include "catalog/head.h"
#include "catalog/head_check.h"
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

  catalog::SeenHead seen = catalog::seen(*head);
  fuzzing::require(catalog::check_succession(*head, seen).ok(), "a head may be seen again");
  fuzzing::require(catalog::check_signer(*head, std::nullopt, seen).ok(), "by the same signer");
  fuzzing::require(catalog::check_signer(*head, head->signer, std::nullopt).ok(), "or a named one");
  (void)catalog::check_expiry(head->head, 1'800'000'000'000'000'000);
  seen.digest.bytes[0] ^= 1;
  fuzzing::require(!catalog::check_succession(*head, seen).ok(), "two stories are refused");
  seen.signer = catalog::PublicKey{};
  fuzzing::require(
      head->signer == seen.signer || !catalog::check_signer(*head, std::nullopt, seen).ok(),
      "another signer is refused");
  if (++seen.sequence == 0) return;
  fuzzing::require(!catalog::check_succession(*head, seen).ok(), "an older head is refused");
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
