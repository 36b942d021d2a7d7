// Entries whose listing tells too little: when the source is asked about them, and when not.
#include "volume_fixture.h"

namespace lazyvol::testing {
namespace {

class EntryStatTest : public VolumeTest {
 protected:
  void SetUp() override { use_inexact_listings(); }
};

TEST_F(EntryStatTest, AsksOnLookupOnceAndWithinTheTtlNotAgain) {
  source().put("a", "aaa", "v1");
  open();
  const auto node = stack().walk("a");
  ASSERT_TRUE(node.ok());
  EXPECT_EQ(node->attributes.size, 3U);
  EXPECT_EQ(content(node->attributes.id), "aaa");
  EXPECT_EQ(source().count(Op::stat, "a"), 1U);
}

TEST_F(EntryStatTest, AListingShowsAttributesOnlyWhenKnown) {
  source().put("a", "a", "v1");
  source().put("b", "b", "v1");
  open();
  ASSERT_NE(id_of("a"), 0U);
  const auto listing = stack().list(kRootNode);
  ASSERT_TRUE(listing.ok());
  const auto all = items(**listing);
  ASSERT_TRUE(all.ok());
  ASSERT_EQ(all->size(), 2U);
  EXPECT_TRUE(all->at(0).node.has_value());
  EXPECT_FALSE(all->at(1).node.has_value());
}

TEST_F(EntryStatTest, AnUnchangedRowVouchesForWhatStatSaid) {
  source().put("a", "a", "v1", "row 1");
  open();
  const NodeId before = id_of("a");
  for (int i = 0; i < 3; ++i) {
    expire();
    EXPECT_EQ(id_of("a"), before);
  }
  EXPECT_EQ(source().count(Op::stat, "a"), 1U);
}

TEST_F(EntryStatTest, AChangedRowIsAskedAboutAndMayBeTheSameVersion) {
  source().put("a", "a", "v1", "row 1");
  open();
  const NodeId before = id_of("a");
  source().change("a", [](auto& file) { file.token = "row 2"; });
  expire();
  EXPECT_EQ(id_of("a"), before);
  EXPECT_EQ(source().count(Op::stat, "a"), 2U);
}

TEST_F(EntryStatTest, AChangedRowThatShowsAnotherVersionIsANewNode) {
  source().put("a", "old", "v1", "row 1");
  open();
  const NodeId before = id_of("a");
  EXPECT_EQ(content(before), "old");
  source().put("a", "new!", "v2", "row 2");
  expire();
  const NodeId after = id_of("a");
  EXPECT_NE(after, before);
  EXPECT_EQ(content(after), "new!");
}

TEST_F(EntryStatTest, WithoutTokensEntriesAreAskedAboutAfterTheTtl) {
  source().put("a", "a", "v1");
  open();
  (void)id_of("a");
  expire();
  (void)id_of("a");
  EXPECT_EQ(source().count(Op::stat, "a"), 2U);
}

TEST_F(EntryStatTest, AnUnsettledEntryIsAskedAboutAfterTheTtlWhateverItsRow) {
  source().put("a", "a", "v1", "row");
  source().change("a", [](auto& file) { file.settled = false; });
  open();
  const NodeId id = id_of("a");
  EXPECT_LE(stack().walk("a")->attribute_ttl, std::chrono::seconds(1));
  source().change("a", [](auto& file) { file.settled = true; });
  expire();
  EXPECT_EQ(id_of("a"), id);
  EXPECT_EQ(source().count(Op::stat, "a"), 2U);
  expire();
  EXPECT_EQ(id_of("a"), id);
  EXPECT_EQ(source().count(Op::stat, "a"), 2U) << "settled now";
}

TEST_F(EntryStatTest, ManyAskersCauseOneStat) {
  source().put("a", "a", "v1");
  open();
  ASSERT_TRUE(stack().list(kRootNode).ok());
  source().hold();
  std::vector<Answer<Node>> answers(20);
  for (auto& answer : answers) stack().volume().lookup(kRootNode, "a", {}, answer.done());
  EXPECT_EQ(source().count(Op::stat, "a"), 1U);
  source().release();
  for (auto& answer : answers) EXPECT_TRUE(answer.get().ok());
  EXPECT_EQ(source().count(Op::stat, "a"), 1U);
}

TEST_F(EntryStatTest, AsksAheadOfAReaderInListingOrder) {
  for (int i = 0; i < 40; ++i) source().put("f" + std::to_string(100 + i), "x", "v1");
  open();
  ASSERT_NE(id_of("f100"), 0U);
  EXPECT_EQ(source().count(Op::stat, "f102"), 0U) << "one entry is no pattern";
  ASSERT_NE(id_of("f101"), 0U);
  await([&] { return source().count(Op::stat, "f133") == 1; });
  EXPECT_EQ(source().count(Op::stat, "f134"), 0U) << "32 ahead, no more";
  for (int i = 2; i < 40; ++i) ASSERT_NE(id_of("f" + std::to_string(100 + i)), 0U);
  for (int i = 0; i < 40; ++i) {
    EXPECT_EQ(source().count(Op::stat, "f" + std::to_string(100 + i)), 1U) << i;
  }
}

TEST_F(EntryStatTest, AListedNameThatIsNotThereIsNotFoundAndRemembered) {
  source().put("a", "a", "v1");
  source().put_dangling("nowhere");
  open();
  EXPECT_EQ(code_of("nowhere"), Code::not_found);
  const auto stats = source().count(Op::stat, "nowhere");
  const auto lists = source().count(Op::list);
  EXPECT_EQ(code_of("nowhere"), Code::not_found);
  EXPECT_EQ(source().count(Op::stat, "nowhere"), stats);
  EXPECT_EQ(source().count(Op::list), lists);
  expire();
  EXPECT_EQ(code_of("nowhere"), Code::not_found);
  EXPECT_GT(source().count(Op::stat, "nowhere"), stats) << "asked again after the TTL";
}

TEST_F(EntryStatTest, ANameThatVanishedSinceTheListingIsConfirmedGone) {
  source().put("a", "a", "v1");
  source().put("b", "b", "v1");
  open();
  ASSERT_TRUE(stack().list(kRootNode).ok());
  source().remove("b");
  EXPECT_EQ(code_of("b"), Code::not_found);
  EXPECT_EQ(names(kRootNode), std::vector<std::string>{"a"}) << "the listing was corrected";
}

TEST_F(EntryStatTest, ANameThatBecameADirectoryIsShownAsOne) {
  source().put("a", "a", "v1");
  open();
  const NodeId file = id_of("a");
  source().remove("a");
  source().put_directory("a");
  source().put("a/below", "x", "v1");
  expire();
  EXPECT_NE(id_of("a"), file);
  EXPECT_EQ(content(id_of("a/below")), "x");
}

}  // namespace
}  // namespace lazyvol::testing
