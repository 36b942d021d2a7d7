#include "source/sftp_wire.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "source/sftp_attributes.h"

namespace lazyvol::source {
namespace {

using std::string_literals::operator""s;
using ::testing::ElementsAre;

std::vector<std::byte> bytes(const std::string& text) {
  const auto* begin = reinterpret_cast<const std::byte*>(text.data());
  return {begin, begin + text.size()};
}

Result<SftpReply> parse(const std::string& packet) {
  return parse_sftp_reply(bytes(packet));
}

TEST(SftpWire, RequestsAreTheBytesOfTheDraft) {
  std::string out;
  put_sftp_init(out);
  EXPECT_EQ(out, "\0\0\0\5\1\0\0\0\3"s);
  out.clear();
  put_sftp_path(out, SftpType::lstat, 0x01020304, "/a\xff");
  EXPECT_EQ(out, "\0\0\0\x0c\7\1\2\3\4\0\0\0\3/a\xff"s);
  out.clear();
  put_sftp_path(out, SftpType::open, 1, "f");
  EXPECT_EQ(out, "\0\0\0\x12\3\0\0\0\1\0\0\0\1f\0\0\0\1\0\0\0\0"s);
  out.clear();
  put_sftp_read(out, 2, "h", 0x0102030405060708, 32768);
  EXPECT_EQ(out, "\0\0\0\x16\5\0\0\0\2\0\0\0\1h\1\2\3\4\5\6\7\x8\0\0\x80\0"s);
  const std::size_t first = out.size();
  put_sftp_handle(out, SftpType::close, 3, "h");
  EXPECT_EQ(out.substr(first), "\0\0\0\x0a\4\0\0\0\3\0\0\0\1h"s) << "appends";
}

TEST(SftpWire, RepliesOfEachKind) {
  const auto status = parse("\x65\0\0\0\7\0\0\0\2\0\0\0\0\0\0\0\0"s);
  ASSERT_TRUE(status.ok());
  EXPECT_EQ(status->id, 7U);
  EXPECT_EQ(std::get<SftpStatus>(status->body).code, SftpStatusCode::no_such_file);
  EXPECT_EQ(std::get<SftpHandle>(parse("\x66\0\0\0\1\0\0\0\2\0\xff"s)->body).handle, "\0\xff"s);
  const auto data = parse("\x67\0\0\0\1\0\0\0\3abc"s);
  EXPECT_EQ(bytes("abc"), std::vector<std::byte>(std::get<SftpData>(data->body).bytes().begin(),
                                                 std::get<SftpData>(data->body).bytes().end()));
  const auto names = parse(
      "\x68\0\0\0\1\0\0\0\2"
      "\0\0\0\1a\0\0\0\2-r\0\0\0\0"
      "\0\0\0\1b\0\0\0\0\0\0\0\1\0\0\0\1\0\0\0\0"s);
  const auto& list = std::get<SftpNames>(names->body).names;
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list[0].name, "a");
  EXPECT_FALSE(list[0].attributes.size);
  EXPECT_EQ(list[1].attributes.size, 1ULL << 32);
}

TEST(SftpWire, AttributesInTheirOrderAndExtensionsSkipped) {
  const auto reply = parse(
      "\x69\0\0\0\1\x80\0\0\x0f\0\0\0\0\0\0\0\5\0\0\3\xe8\0\0\3\xe9\0\0\x81\xa4"
      "\0\0\0\1\xff\xff\xff\xff\0\0\0\1\0\0\0\1x\0\0\0\1y"s);
  ASSERT_TRUE(reply.ok());
  const auto& seen = std::get<SftpAttributes>(reply->body);
  EXPECT_EQ(seen.size, 5U);
  EXPECT_EQ(seen.uid, 1000U);
  EXPECT_EQ(seen.gid, 1001U);
  EXPECT_EQ(seen.mtime_s, 0xffffffffU);
  EXPECT_EQ(sftp_type(seen), NodeType::file);
  EXPECT_EQ(sftp_validator(seen), "t:4294967295-5");
  EXPECT_EQ(size_in_sftp_validator("t:4294967295-5"), 5U);
  const RemoteEntry entry = sftp_entry("n", NodeType::file, seen, 0);
  EXPECT_EQ(entry.mtime_ns, 4294967295LL * 1'000'000'000);
  EXPECT_EQ(entry.mode, 0644U);
  EXPECT_FALSE(entry.settled) << "a file of the future";
}

TEST(SftpWire, SettledIsAQuestionOfThreeSeconds) {
  SftpAttributes at;
  at.size = 1;
  at.mtime_s = 1000;
  EXPECT_FALSE(sftp_entry("n", NodeType::file, at, 1'002'999'999'999).settled);
  EXPECT_TRUE(sftp_entry("n", NodeType::file, at, 1'003'000'000'000).settled);
  at.mtime_s.reset();
  EXPECT_FALSE(sftp_entry("n", NodeType::file, at, 1'003'000'000'000).settled);
}

TEST(SftpWire, RefusesWhatIsCutShortOrUnknown) {
  const std::string whole =
      "\x68\0\0\0\1\0\0\0\1\0\0\0\1b\0\0\0\0\0\0\0\xf\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
      "\0\0\0\0\0\0\0\0"s;
  ASSERT_TRUE(parse(whole).ok());
  for (std::size_t i = 0; i < whole.size(); ++i) {
    const auto cut = parse(whole.substr(0, i));
    ASSERT_FALSE(cut.ok()) << i;
    EXPECT_EQ(cut.error().code, Code::corrupt);
  }
  EXPECT_FALSE(parse("\x70\0\0\0\1"s).ok());
  EXPECT_FALSE(parse("\x68\0\0\0\1\xff\xff\xff\xff"s).ok()) << "four thousand million names";
  EXPECT_FALSE(parse("\x66\0\0\0\1\0\0\1\1"s + std::string(257, 'h')).ok());
}

TEST(SftpWire, VersionAndLimits) {
  EXPECT_EQ(parse_sftp_version(bytes("\2\0\0\0\3"s))->version, 3U);
  const auto version =
      parse_sftp_version(bytes("\2\0\0\0\3\0\0\0\1x\0\0\0\0\0\0\0\x12limits@openssh.com\0\0\0\1"
                               "1"s));
  ASSERT_TRUE(version.ok());
  EXPECT_TRUE(version->tells_limits);
  EXPECT_FALSE(parse_sftp_version(bytes("\2\0\0\0\3\0\0\0\5x"s)).ok());
  EXPECT_FALSE(parse_sftp_version(bytes("\3\0\0\0\3"s)).ok());
  EXPECT_EQ(parse_sftp_read_limit("\0\0\0\0\0\4\0\0\0\0\0\0\0\3\xfc\0"s), 261120U);
  EXPECT_FALSE(parse_sftp_read_limit("\0\0\0\0\0\4\0\0"s));
}

TEST(SftpWire, PacketsComeOutWhateverTheStreamIsCutInto) {
  const std::string stream = "\0\0\0\1a\0\0\0\3bcd\0\0\0\2ef"s;
  for (std::size_t step = 1; step <= stream.size(); ++step) {
    SftpPackets packets;
    std::vector<std::string> seen;
    for (std::size_t i = 0; i < stream.size(); i += step) {
      const auto status =
          packets.feed(bytes(stream.substr(i, step)), [&](std::vector<std::byte> packet) {
            seen.emplace_back(reinterpret_cast<const char*>(packet.data()), packet.size());
            return Status();
          });
      ASSERT_TRUE(status.ok());
    }
    EXPECT_THAT(seen, ElementsAre("a", "bcd", "ef")) << step;
  }
  SftpPackets packets;
  const auto none = [](std::vector<std::byte>) { return Status(); };
  EXPECT_FALSE(packets.feed(bytes("\0\0\0\0"s), none).ok());
  EXPECT_FALSE(SftpPackets().feed(bytes("Welc"), none).ok()) << "a shell's greeting";
}

}  // namespace
}  // namespace lazyvol::source
