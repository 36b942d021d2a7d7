// Names that begin with '.' and that the listing leaves out.
#include "volume_fixture.h"

namespace lazyvol::testing {
namespace {

class HiddenNamesTest : public VolumeTest {
 protected:
  void SetUp() override { source().set_hides_dot_names(); }
};

TEST_F(HiddenNamesTest, AreFoundWhenAskedForAndListedNowhere) {
  source().put("seen", "x", "v1");
  source().put(".hidden", "bytes", "v1");
  source().put_directory(".git");
  source().put(".git/HEAD", "ref", "v1");
  open();
  const NodeId id = id_of(".hidden");
  EXPECT_EQ(content(id), "bytes");
  EXPECT_EQ(content(id_of(".git/HEAD")), "ref");
  EXPECT_EQ(id_of(".hidden"), id);
  EXPECT_EQ(source().count(Op::stat, ".hidden"), 1U) << "kept beside the listing";
  EXPECT_EQ(names(kRootNode), std::vector<std::string>{"seen"});
  EXPECT_EQ(code_of(".none"), Code::not_found);
  EXPECT_EQ(code_of("none"), Code::not_found);
  EXPECT_EQ(source().count(Op::stat, "none"), 0U);
}

TEST_F(HiddenNamesTest, KeepTheirIdsOverListingsAndChangeWithTheirVersion) {
  source().put(".hidden", "old", "v1");
  open();
  const NodeId id = id_of(".hidden");
  source().put("new", "x", "v1");
  expire();
  EXPECT_EQ(id_of(".hidden"), id);
  source().put(".hidden", "newer", "v2");
  expire();
  EXPECT_NE(id_of(".hidden"), id);
  EXPECT_EQ(content(id_of(".hidden")), "newer");
}

TEST_F(HiddenNamesTest, VanishWhenTheSourceSaysSo) {
  source().put(".hidden", "x", "v1");
  source().put_directory(".git");
  source().put_directory(".git/refs");
  open();
  const NodeId git = id_of(".git"), refs = id_of(".git/refs");
  ASSERT_NE(id_of(".hidden"), 0U);
  source().remove(".hidden");
  source().remove(".git");
  expire();
  EXPECT_EQ(code_of(".hidden"), Code::not_found);
  EXPECT_EQ(code_of(".git"), Code::not_found);
  EXPECT_EQ(stack().attributes(git).error().code, Code::stale);
  EXPECT_EQ(stack().attributes(refs).error().code, Code::stale);
}

TEST_F(HiddenNamesTest, AHiddenDirectoryThatIsNotFoundIsGone) {
  source().put_directory(".git");
  source().put("seen", "x", "v1");
  open();
  const NodeId git = id_of(".git");
  ASSERT_TRUE(stack().list(git).ok());
  expire();
  source().remove(".git");
  EXPECT_EQ(stack().list(git).error().code, Code::stale);
  EXPECT_EQ(code_of(".git"), Code::not_found);
}

TEST_F(HiddenNamesTest, AFailureIsNotTakenForAbsence) {
  source().put(".hidden", "x", "v1");
  source().put(".other", "x", "v1");
  open();
  const NodeId id = id_of(".hidden");
  expire();
  source().fail_all(Code::unreachable);
  EXPECT_EQ(id_of(".hidden"), id);
  EXPECT_EQ(code_of(".other"), Code::unreachable);
  const auto stats = source().count(Op::stat);
  EXPECT_EQ(code_of(".other"), Code::unreachable);
  EXPECT_EQ(source().count(Op::stat), stats) << "while it is down nobody waits";
}

TEST_F(HiddenNamesTest, ManyAskersCauseOneQuestionAndMayGiveUp) {
  source().put(".hidden", "x", "v1");
  open();
  source().hold();
  std::stop_source stop;
  RequestContext ctx;
  ctx.stop = stop.get_token();
  Answer<Node> impatient, patient;
  stack().volume().lookup(kRootNode, ".hidden", ctx, impatient.done());
  stack().volume().lookup(kRootNode, ".hidden", {}, patient.done());
  stop.request_stop();
  EXPECT_EQ(impatient.get().error().code, Code::cancelled);
  source().release();
  EXPECT_TRUE(patient.get().ok());
  EXPECT_EQ(source().count(Op::stat, ".hidden"), 1U);
}

}  // namespace
}  // namespace lazyvol::testing
