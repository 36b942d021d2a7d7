#include "catalog/head_check.h"

namespace lazyvol::catalog {

SeenHead seen(const HeadDocument& document) {
  return {document.head.volume, document.head.sequence, document.digest, document.signer};
}

Status check_signer(const HeadDocument& document, const std::optional<PublicKey>& required,
                    const std::optional<SeenHead>& before) {
  const auto expected = required ? required : before ? before->signer : std::nullopt;
  if (!expected || document.signer == expected) return {};
  const std::string_view whose = required ? "it must be signed by " : "it was signed before by ";
  return Error{Code::access_denied,
               "the volume's head is " +
                   (document.signer ? "signed by " + document.signer->text() : "not signed") +
                   ", and " + std::string(whose) + expected->text()};
}

Status check_succession(const HeadDocument& document, const std::optional<SeenHead>& before) {
  if (!before) return {};
  const Head& head = document.head;
  if (head.volume != before->volume) {
    return Error{Code::stale, "the head is of another volume than the one that was mounted"};
  }
  if (head.sequence < before->sequence) {
    return Error{Code::stale, "the head is revision " + std::to_string(head.sequence) +
                                  ", older than " + std::to_string(before->sequence) +
                                  ", which was seen already"};
  }
  if (head.sequence == before->sequence && document.digest != before->digest) {
    return Error{Code::stale,
                 "there are two different heads of revision " + std::to_string(head.sequence)};
  }
  return {};
}

Status check_expiry(const Head& head, std::int64_t now_ns) {
  if (head.expires_ns == 0 || now_ns < head.expires_ns) return {};
  const std::int64_t minutes = (now_ns - head.expires_ns) / 60'000'000'000;
  return Error{Code::stale, "revision " + std::to_string(head.sequence) + " expired " +
                                std::to_string(minutes) + " minutes ago"};
}

}  // namespace lazyvol::catalog
