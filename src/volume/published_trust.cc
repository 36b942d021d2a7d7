#include "volume/published_trust.h"

#include <charconv>
#include <fstream>
#include <iterator>
#include <utility>

#include "base/bytes.h"
#include "base/log.h"

namespace lazyvol::volume {
namespace {

constexpr std::streamsize kMaxKeyFile = 16 * 1024;

std::string encode_seen(const catalog::SeenHead& seen) {
  base::ByteWriter out;
  for (const std::uint8_t byte : seen.volume) out.byte(byte);
  out.number(seen.sequence);
  out.raw(seen.digest.view());
  out.byte(seen.signer ? 1 : 0);
  if (seen.signer) out.raw(seen.signer->view());
  return out.take();
}

std::optional<catalog::SeenHead> decode_seen(std::string_view bytes) {
  base::ByteReader in(bytes);
  catalog::SeenHead seen;
  for (std::uint8_t& byte : seen.volume) byte = in.byte();
  seen.sequence = in.number();
  seen.digest = catalog::Digest::from(in.raw(seen.digest.bytes.size()));
  if (in.byte() == 1) {
    seen.signer.emplace();
    for (std::uint8_t& byte : seen.signer->bytes) byte = in.byte();
  }
  if (in.failed() || !in.at_end()) return std::nullopt;
  return seen;
}

struct Known {
  std::optional<catalog::SeenHead> seen;
  std::string document;
};

Known read_known(const cache::HeadStore& heads, const std::string& record) {
  const auto head = heads.find(record);
  if (!head.ok()) {
    base::log_warn("{}: what was known of its head cannot be read: {}", record,
                   head.error().message);
    return {};
  }
  if (!*head) return {};
  return {decode_seen((*head)->identity), (*head)->document};
}

}  // namespace

Result<std::optional<catalog::PublicKey>> read_key(const std::string& option) {
  if (option.empty()) return std::optional<catalog::PublicKey>();
  std::string text = option;
  if (!option.starts_with("ed25519:")) {
    std::ifstream file(option, std::ios::binary);
    if (!file) return Error{Code::not_found, "option key: " + option + ": cannot be read"};
    text.assign(static_cast<std::size_t>(kMaxKeyFile), '\0');
    file.read(text.data(), kMaxKeyFile);
    text.resize(static_cast<std::size_t>(file.gcount()));
  }
  auto key = catalog::parse_public_key(text);
  if (!key.ok()) return key.error().in("option key");
  return std::optional(*std::move(key));
}

std::optional<std::uint64_t> revision_number(const std::string& revision) {
  std::uint64_t number = 0;
  const char* end = revision.data() + revision.size();
  const auto [rest, error] = std::from_chars(revision.data(), end, number);
  if (error != std::errc() || rest != end || revision.empty()) return std::nullopt;
  return number;
}

std::string head_path(const std::string& revision) {
  if (revision.empty()) return std::string(catalog::kHeadPath);
  if (const auto number = revision_number(revision)) return catalog::revision_path(*number);
  return "tags/" + revision;
}

Result<ReadHead> parse_read_head(std::string text) {
  LAZYVOL_TRY_ASSIGN(auto document, catalog::parse_head(text));
  return ReadHead{std::move(text), std::move(document)};
}

PublishedTrust::PublishedTrust(std::string volume, std::string revision,
                               std::optional<catalog::PublicKey> required, cache::HeadStore& heads,
                               const base::Clock& clock)
    : volume_(std::move(volume)),
      revision_(std::move(revision)),
      number_(revision_number(revision_)),
      required_(required),
      heads_(heads),
      clock_(clock) {
  Known own = read_known(heads_, record());
  volume_before_ = revision_.empty() ? own.seen : read_known(heads_, volume_).seen;
  *before_.lock() = own.seen;
  document_ = std::move(own.document);
}

// A tag or a number keeps a record of its own: it may well be older than the present head.
std::string PublishedTrust::record() const {
  return revision_.empty() ? volume_ : volume_ + " revision=" + revision_;
}

Status PublishedTrust::check(const catalog::HeadDocument& document) const {
  const auto before = *before_.lock();
  LAZYVOL_TRY(catalog::check_signer(document, required_, before ? before : volume_before_));
  if (volume_before_ && volume_before_->volume != document.head.volume) {
    return Error{Code::stale, "the head is of another volume than the one that was mounted"};
  }
  if (number_ && document.head.sequence != *number_) {
    return Error{Code::stale, "the head that was found there is of revision " +
                                  std::to_string(document.head.sequence)};
  }
  LAZYVOL_TRY(catalog::check_succession(document, before));
  return check_expiry(document.head);
}

Status PublishedTrust::check_expiry(const catalog::Head& head) const {
  return number_ ? Status() : catalog::check_expiry(head, clock_.wall_ns());
}

Result<ReadHead> PublishedTrust::known() const {
  if (document_.empty()) return Error{Code::not_found, "no head is known from before"};
  LAZYVOL_TRY_ASSIGN(ReadHead head, parse_read_head(document_));
  LAZYVOL_TRY(check(head.document));
  return head;
}

void PublishedTrust::use(const ReadHead& head) {
  const catalog::SeenHead seen = catalog::seen(head.document);
  *before_.lock() = seen;
  const auto status = heads_.remember(record(), {seen.sequence, encode_seen(seen), head.text});
  if (!status.ok()) {
    base::log_warn("{}: the head is not kept across a restart: {}", volume_,
                   status.error().message);
  }
}

}  // namespace lazyvol::volume
