// What an SFTP server sends: the first packet is its version, the others are replies.
#include <span>
#include <variant>

#include "fuzz_target.h"
#include "source/sftp_attributes.h"
#include "source/sftp_wire.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lazyvol;
  using namespace lazyvol::source;
  SftpPackets packets;
  bool first = true;
  (void)packets.feed(std::as_bytes(std::span(data, size)), [&](std::vector<std::byte> packet) {
    fuzzing::require(!packet.empty() && packet.size() <= kMaxSftpPacket, "packets are bounded");
    if (std::exchange(first, false)) {
      (void)parse_sftp_version(packet);
      return Status();
    }
    const std::size_t length = packet.size();
    const auto reply = parse_sftp_reply(std::move(packet));
    if (!reply.ok()) return Status();
    if (const auto* part = std::get_if<SftpData>(&reply->body)) {
      fuzzing::require(part->bytes().size() <= length, "no more bytes than came");
    } else if (const auto* names = std::get_if<SftpNames>(&reply->body)) {
      fuzzing::require(names->names.size() <= length / 12, "no more names than came");
    } else if (const auto* seen = std::get_if<SftpAttributes>(&reply->body)) {
      const std::string validator = sftp_validator(*seen);
      fuzzing::require(validator.empty() || size_in_sftp_validator(validator) == seen->size,
                       "the validator holds the size");
    } else if (const auto* extended = std::get_if<SftpExtendedReply>(&reply->body)) {
      (void)parse_sftp_read_limit(extended->payload);
    }
    return Status();
  });
  return 0;
}
