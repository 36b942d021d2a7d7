// What git and its servers print, taken apart.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "git/cat_file.h"
#include "git/object_info.h"
#include "git/object_name.h"
#include "git/pkt_line.h"
#include "git/repository.h"

namespace lazyvol::git {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

const std::string kId(40, 'a'), kOther(40, 'b');

template <class T>
std::optional<Code> code_of(const Result<T>& result) {
  return result.ok() ? std::nullopt : std::optional(result.error().code);
}

TEST(PktLine, IsFramedByItsLength) {
  EXPECT_EQ(pkt_line("version 2"), "000eversion 2\n");
}

TEST(PktLine, IsTakenOffOneByOneWithMarks) {
  const std::string bytes = pkt_line("a") + "0001" + pkt_line("b") + "00000002";
  std::string_view rest = bytes;
  EXPECT_EQ(take_pkt(rest)->text, "a");
  EXPECT_EQ(take_pkt(rest)->kind, PktKind::delimiter);
  EXPECT_EQ(take_pkt(rest)->text, "b");
  EXPECT_EQ(take_pkt(rest)->kind, PktKind::flush);
  EXPECT_EQ(take_pkt(rest)->kind, PktKind::response_end);
  EXPECT_TRUE(rest.empty());
}

TEST(PktLine, OfImpossibleLengthIsRefused) {
  for (const std::string_view bad :
       {"", "00", "zzzz", "0003", "ffffx", "0009abc", "-001", "0x0a"}) {
    std::string_view rest = bad;
    EXPECT_EQ(code_of(take_pkt(rest)), Code::corrupt) << bad;
  }
}

TEST(ObjectInfo, RequestNamesEachObject) {
  EXPECT_EQ(
      object_info_request(std::vector{kId}, "sha1"),
      "0018command=object-info\n0017object-format=sha1\n00010009size\n0031oid " + kId + "\n0000");
}

TEST(ObjectInfo, CapabilitiesAreReadLineByLine) {
  Capabilities can;
  for (const char* line : {"version 2", "agent=git/2.39.5", "fetch=shallow wait-for-done filter",
                           "object-format=sha256", "object-info"}) {
    add_capability(can, line);
  }
  EXPECT_TRUE(can.version2 && can.object_info && can.filter);
  EXPECT_EQ(can.object_format, "sha256");
}

TEST(ObjectInfo, AnswerTellsSizesOfWhatIsThere) {
  Sizes sizes;
  for (const std::string& line : {std::string("size"), kId + " 17", kOther + " "}) {
    EXPECT_TRUE(add_object_info(sizes, line).ok()) << line;
  }
  EXPECT_THAT(sizes, ElementsAre(Pair(kId, 17)));
}

TEST(ObjectInfo, StrangeAnswersAreRefused) {
  Sizes sizes;
  for (const std::string& line : {kId, kId + " x", kId + " -1", kId + " 99999999999999999999",
                                  std::string("short 1"), kId + " 1 2"}) {
    EXPECT_EQ(code_of(add_object_info(sizes, line)), Code::corrupt) << line;
  }
}

TEST(ObjectHeader, TellsTypeAndSizeOrThatItIsMissing) {
  const auto there = parse_object_header(kId + " blob 12");
  ASSERT_TRUE(there.ok() && there->has_value());
  EXPECT_EQ((*there)->type, "blob");
  EXPECT_EQ((*there)->size, 12U);
  const auto missing = parse_object_header(kId + " missing");
  ASSERT_TRUE(missing.ok());
  EXPECT_FALSE(missing->has_value());
  EXPECT_EQ(code_of(parse_object_header("what missing")), Code::corrupt);
  EXPECT_EQ(code_of(parse_object_header(kId + " blob x")), Code::corrupt);
}

TEST(ObjectName, GoesThereAndBack) {
  EXPECT_EQ(object_name(0, kId), kId);
  EXPECT_EQ(object_name(12, kId), "12-" + kId);
  EXPECT_EQ(parse_object_name("12-" + kId)->remote, 12);
  EXPECT_EQ(parse_object_name(kId)->id, kId);
  for (const std::string& bad : {std::string("x"), "0-" + kId, "-" + kId, "01-" + kId,
                                 "70000-" + kId, kId + "-1", "../" + kId}) {
    EXPECT_FALSE(parse_object_name(bad)) << bad;
  }
}

TEST(RemoteRef, IsFoundByWhatAUserCallsIt) {
  const std::string rows = kId + "\tHEAD\n" + kId + "\trefs/heads/main\n" + kOther +
                           "\trefs/tags/main\n" + kOther + "\trefs/remotes/x/HEAD\n" + kOther +
                           "\trefs/tags/v1\n" + kId + "\trefs/tags/v1^{}\n";
  EXPECT_EQ(find_remote_ref(rows, "")->name, "HEAD");
  EXPECT_EQ(find_remote_ref(rows, "main")->name, "refs/heads/main");
  EXPECT_EQ(find_remote_ref(rows, "v1")->id, kOther);
  EXPECT_EQ(find_remote_ref(rows, "refs/tags/main")->id, kOther);
  EXPECT_FALSE(find_remote_ref(rows, "heads/main"));
  EXPECT_FALSE(find_remote_ref(rows, "tags/v1"));
  EXPECT_FALSE(find_remote_ref("garbage\nmore\tHEAD\n", ""));
}

}  // namespace
}  // namespace lazyvol::git
