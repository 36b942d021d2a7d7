// Which heads of a volume a mount accepts, and what the node remembers of them.
//
// The rules are docs/format.md's, "Head": one signer, one volume, no way back, nothing expired. The
// revision that the user asked for by its number is exempt from the last: it claims no freshness.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/locked.h"
#include "cache/head_store.h"
#include "catalog/head_check.h"
#include "catalog/signing_key.h"
#include "lazyvol/error.h"

namespace lazyvol::volume {

/// The public key that an option names: its text, or the path of a PEM file. nullopt for "".
/// Errors: invalid_argument, and those of reading the file.
Result<std::optional<catalog::PublicKey>> read_key(const std::string& option);

/// Where the head of `revision` (a number, a tag, or nothing for the present one) lies in a volume.
std::string head_path(const std::string& revision);
/// The number that `revision` is.
std::optional<std::uint64_t> revision_number(const std::string& revision);

/// A head, with the text that it was read from.
struct ReadHead {
  std::string text;
  catalog::HeadDocument document;
};
/// Errors: those of catalog::parse_head.
Result<ReadHead> parse_read_head(std::string text);

/// Thread-safe.
class PublishedTrust {
 public:
  /// `volume` names the volume on this node (canonical SOURCE); `heads` and `clock` must outlive
  /// it. Reads what is known; a record that cannot be read is as none, with a line in the log.
  PublishedTrust(std::string volume, std::string revision,
                 std::optional<catalog::PublicKey> required, cache::HeadStore& heads,
                 const base::Clock& clock);
  PublishedTrust(const PublishedTrust&) = delete;
  PublishedTrust& operator=(const PublishedTrust&) = delete;

  const std::string& revision() const { return revision_; }
  bool pinned() const { return number_.has_value(); }
  /// Errors: access_denied (the signer), stale (another volume, an older revision, a second head of
  /// the same number, expired).
  Status check(const catalog::HeadDocument& document) const;
  /// check() of the head that is shown: only time can make it bad.
  Status check_expiry(const catalog::Head& head) const;
  /// The head that was used last by any mount of the volume. Errors: not_found, and check()'s.
  Result<ReadHead> known() const;
  /// The head is used from now on; kept across restarts if the index can be written (else a line in
  /// the log says so). Waits for the disk.
  void use(const ReadHead& head);

 private:
  std::string record() const;

  const std::string volume_, revision_;
  const std::optional<std::uint64_t> number_;
  const std::optional<catalog::PublicKey> required_;
  cache::HeadStore& heads_;
  const base::Clock& clock_;
  base::Locked<std::optional<catalog::SeenHead>> before_;  // of this revision's record
  std::optional<catalog::SeenHead> volume_before_;         // of the volume's; constant
  std::string document_;                                   // known when this began; constant
};

}  // namespace lazyvol::volume
