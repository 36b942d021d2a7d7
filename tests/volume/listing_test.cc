// Listings: TTL, absence, single flight, conditional relisting, ids across lives.
#include "volume_fixture.h"

namespace lazyvol::testing {
namespace {

using ListingTest = VolumeTest;

TEST_F(ListingTest, AnswersFromTheListingWithinItsTtl) {
  source().put("a", "aa", "v1");
  open();
  const auto asked = source().count(Op::list);
  const auto node = stack().walk("a");
  ASSERT_TRUE(node.ok());
  EXPECT_EQ(node->attributes.size, 2U);
  EXPECT_EQ(node->entry_ttl, kTtl);
  source().put("b", "b", "v1");
  EXPECT_EQ(code_of("b"), Code::not_found) << "absent from a listing within its TTL";
  EXPECT_EQ(source().count(Op::list), asked);
  EXPECT_EQ(source().count(Op::stat, "a"), 0U) << "an exact listing needs no stat";
  expire();
  EXPECT_NE(id_of("b"), 0U);
  EXPECT_EQ(source().count(Op::list), asked + 1);
}

TEST_F(ListingTest, AClockThatJumpedBackMeansExpired) {
  source().put("a", "a", "v1");
  open();
  clock_.jump_wall(std::chrono::hours(-1));
  const auto asked = source().count(Op::list);
  EXPECT_NE(id_of("a"), 0U);
  EXPECT_EQ(source().count(Op::list), asked + 1);
}

TEST_F(ListingTest, ListsDirectoriesLazily) {
  source().put_directory("d");
  source().put_directory("d/e");
  source().put("d/e/f", "x", "v1");
  open();
  EXPECT_EQ(source().count(Op::list, "d"), 0U);
  EXPECT_EQ(content(id_of("d/e/f")), "x");
  EXPECT_EQ(source().count(Op::list, "d"), 1U);
  EXPECT_EQ(source().count(Op::list, "d/e"), 1U);
}

TEST_F(ListingTest, ManyAskersCauseOneListing) {
  source().put_directory("d");
  source().put("d/f", "x", "v1");
  open();
  const NodeId d = id_of("d");
  source().hold();
  std::vector<Answer<Node>> answers(20);
  for (auto& answer : answers) stack().volume().lookup(d, "f", {}, answer.done());
  EXPECT_EQ(source().count(Op::list, "d"), 1U);
  for (auto& answer : answers) EXPECT_FALSE(answer.here());
  source().release();
  for (auto& answer : answers) EXPECT_TRUE(answer.get().ok());
  EXPECT_EQ(source().count(Op::list, "d"), 1U);
}

TEST_F(ListingTest, OneWhoGivesUpLeavesTheOthersWaiting) {
  source().put_directory("d");
  source().put("d/f", "x", "v1");
  open();
  const NodeId d = id_of("d");
  source().hold();
  std::stop_source stop;
  RequestContext ctx;
  ctx.stop = stop.get_token();
  Answer<Node> impatient, patient;
  stack().volume().lookup(d, "f", ctx, impatient.done());
  stack().volume().lookup(d, "f", {}, patient.done());
  stop.request_stop();
  const auto given_up = impatient.get();
  ASSERT_FALSE(given_up.ok());
  EXPECT_EQ(given_up.error().code, Code::cancelled);
  source().release();
  EXPECT_TRUE(patient.get().ok());
}

TEST_F(ListingTest, RevalidatesConditionally) {
  source().set_conditional(true);
  source().put("a", "a", "v1");
  open();
  const NodeId before = id_of("a");
  expire();
  EXPECT_EQ(id_of("a"), before);
  EXPECT_EQ(stack().volume().stats().not_modified, 1U);
  source().put("b", "b", "v1");
  expire();
  EXPECT_NE(id_of("b"), 0U);
  EXPECT_EQ(stack().volume().stats().not_modified, 1U);
}

TEST_F(ListingTest, IdsSurviveARestart) {
  source().put_directory("d");
  source().put("d/f", "x", "v1");
  open();
  const NodeId d = id_of("d"), f = id_of("d/f");
  stack().close();
  ASSERT_TRUE(stack().open().ok());
  const auto node = stack().attributes(f);  // by id, as the kernel asks a new process
  ASSERT_TRUE(node.ok());
  EXPECT_EQ(node->attributes.size, 1U);
  EXPECT_EQ(id_of("d"), d);
  EXPECT_EQ(id_of("d/f"), f);
}

TEST_F(ListingTest, AReplacedFileIsANewNodeAndADirectoryStays) {
  source().put_directory("d");
  source().put("d/f", "old", "v1");
  open();
  const NodeId d = id_of("d"), f = id_of("d/f");
  source().put("d/f", "newer", "v2");
  expire();
  const NodeId now = id_of("d/f");
  EXPECT_NE(now, f);
  EXPECT_EQ(id_of("d"), d);
  EXPECT_EQ(content(now), "newer");
  const auto old = stack().attributes(f);
  ASSERT_FALSE(old.ok());
  EXPECT_EQ(old.error().code, Code::stale);
}

TEST_F(ListingTest, AVanishedDirectoryTakesAllBelowItAlong) {
  source().put_directory("d");
  source().put_directory("d/e");
  source().put("d/e/f", "x", "v1");
  open();
  const NodeId e = id_of("d/e"), f = id_of("d/e/f");
  source().remove("d");
  expire();
  EXPECT_EQ(code_of("d"), Code::not_found);
  EXPECT_EQ(stack().attributes(e).error().code, Code::stale);
  EXPECT_EQ(stack().attributes(f).error().code, Code::stale);
  EXPECT_EQ(stack().lookup(e, "f").error().code, Code::stale);
  source().put_directory("d");
  source().put_directory("d/e");
  expire();
  EXPECT_NE(id_of("d/e"), e) << "a directory that comes again is another one";
}

TEST_F(ListingTest, ADirectoryThatIsNotFoundIsConfirmedByItsParent) {
  source().put_directory("d");
  source().put("d/f", "x", "v1");
  open();
  const NodeId d = id_of("d");
  ASSERT_NE(id_of("d/f"), 0U);
  expire();
  ASSERT_NE(id_of("d"), 0U);
  source().remove("d");
  const auto root_lists = source().count(Op::list, "");
  EXPECT_EQ(stack().list(d).error().code, Code::stale);
  EXPECT_EQ(source().count(Op::list, ""), root_lists + 1);
  EXPECT_EQ(code_of("d"), Code::not_found);
}

TEST_F(ListingTest, ADirectoryThatItsParentStillListsIsNotGone) {
  source().put_directory("d");
  source().put("d/f", "x", "v1");
  open();
  const NodeId f = id_of("d/f");
  expire();
  source().fail(Op::list, "d", Code::not_found);
  EXPECT_EQ(id_of("d/f"), f) << "contradicting answers: the old listing is served";
  EXPECT_GE(stack().volume().stats().stale_served, 1U);
}

TEST_F(ListingTest, ARootThatIsNotFoundIsAFailureNotAnEmptyVolume) {
  source().put("a", "a", "v1");
  open();
  expire();
  source().fail(Op::list, "", Code::not_found);
  EXPECT_EQ(names(kRootNode), std::vector<std::string>{"a"});
}

TEST_F(ListingTest, RefusesImpossibleNames) {
  source().put("a", "a", "v1");
  open();
  EXPECT_EQ(stack().lookup(kRootNode, std::string(256, 'x')).error().code, Code::name_too_long);
  EXPECT_EQ(stack().lookup(kRootNode, "..").error().code, Code::not_found);
}

TEST_F(ListingTest, RefusesPathsThatAreTooLong) {
  std::string path;
  open();
  for (int i = 0; i < 20; ++i) {
    path += (path.empty() ? "" : "/") + std::string(250, 'd');
    source().put_directory(path);
  }
  expire();
  EXPECT_EQ(code_of(path), Code::name_too_long);
}

TEST_F(ListingTest, ShowsSortedItemsWithAttributes) {
  source().put("b", "bb", "v1");
  source().put("a", "a", "v1");
  source().put_directory("c");
  source().put_symlink("l", "target");
  open();
  const auto listing = stack().list(kRootNode);
  ASSERT_TRUE(listing.ok());
  const auto all = items(**listing);
  ASSERT_TRUE(all.ok());
  ASSERT_EQ(all->size(), 4U);
  EXPECT_EQ(all->at(0).name, "a");
  EXPECT_EQ(all->at(1).node->attributes.size, 2U);
  EXPECT_EQ(all->at(2).type, NodeType::directory);
  EXPECT_EQ(all->at(3).node->attributes.size, 6U);
  EXPECT_EQ((*listing)->parent(), kRootNode);
  Answer<std::string> target;
  stack().volume().readlink(id_of("l"), {}, target.done());
  EXPECT_EQ(target.get().value(), "target");
  Answer<std::string> wrong;
  stack().volume().readlink(id_of("a"), {}, wrong.done());
  EXPECT_EQ(wrong.get().error().code, Code::invalid_argument);
}

TEST_F(ListingTest, KnowsParents) {
  source().put_directory("d");
  source().put_directory("d/e");
  open();
  Answer<Node> parent;
  stack().volume().parent_of(id_of("d/e"), {}, parent.done());
  EXPECT_EQ(parent.get()->attributes.id, id_of("d"));
  Answer<Node> root;
  stack().volume().parent_of(kRootNode, {}, root.done());
  EXPECT_EQ(root.get()->attributes.id, kRootNode);
}

TEST_F(ListingTest, MountsASubdirectory) {
  source().put_directory("d");
  source().put("d/f", "inside", "v1");
  source().put("outside", "x", "v1");
  model::MountOptions options;
  options.subdir = "d";
  open(options);
  EXPECT_EQ(names(kRootNode), std::vector<std::string>{"f"});
  EXPECT_EQ(content(id_of("f")), "inside");
  EXPECT_TRUE(stack().evict("f").ok());
}

TEST_F(ListingTest, ASubdirectoryMustBeOne) {
  source().put("f", "x", "v1");
  model::MountOptions options;
  options.subdir = "f";
  Stack file(dir_.path() / "c1", source_, clock_, options);
  EXPECT_EQ(file.open().error().code, Code::not_directory);
  options.subdir = "none";
  Stack none(dir_.path() / "c2", source_, clock_, options);
  EXPECT_EQ(none.open().error().code, Code::not_found);
}

}  // namespace
}  // namespace lazyvol::testing
