// What is served when the origin cannot be asked, and what is not.
#include <any>
#include <set>

#include "volume_fixture.h"

namespace lazyvol::testing {
namespace {

using OfflineTest = VolumeTest;

TEST_F(OfflineTest, OldListingsAreServedWhateverFails) {
  source().put("a", "a", "v1");
  open();
  const NodeId a = id_of("a");
  for (const Code code : {Code::unreachable, Code::timed_out, Code::io_error, Code::throttled}) {
    clock_.advance(std::chrono::minutes(5));
    source().fail_all(code);
    EXPECT_EQ(id_of("a"), a) << to_string(code);
    EXPECT_EQ(names(kRootNode), std::vector<std::string>{"a"}) << to_string(code);
  }
  EXPECT_GE(stack().volume().stats().stale_served, 8U);
  const auto node = stack().walk("a");
  EXPECT_LE(node->entry_ttl, std::chrono::seconds(1)) << "asked for again soon";
}

TEST_F(OfflineTest, AFailureIsNeverAbsence) {
  source().put_directory("d");
  source().put("d/f", "x", "v1");
  open();
  const NodeId d = id_of("d");
  source().fail_all(Code::unreachable);
  EXPECT_EQ(stack().lookup(d, "f").error().code, Code::unreachable);
  EXPECT_EQ(stack().list(d).error().code, Code::unreachable);
  source().fail_all(std::nullopt);
  EXPECT_NE(id_of("d/f"), 0U);
}

TEST_F(OfflineTest, AnOldListingProvesNoAbsenceForLong) {
  source().put("a", "a", "v1");
  open();
  EXPECT_EQ(stack().lookup(kRootNode, "b").error().retry_after, std::nullopt) << "proved";
  clock_.advance(std::chrono::minutes(5));
  source().fail_all(Code::unreachable);
  const auto absent = stack().lookup(kRootNode, "b");
  EXPECT_EQ(absent.error().code, Code::not_found);
  ASSERT_TRUE(absent.error().retry_after.has_value());
  EXPECT_LE(*absent.error().retry_after, std::chrono::seconds(1));
}

TEST_F(OfflineTest, ARefusalIsAnAnswer) {
  source().put("a", "a", "v1");
  open();
  expire();
  source().fail_all(Code::access_denied);
  EXPECT_EQ(code_of("a"), Code::access_denied);
  source().fail_all(std::nullopt);
  EXPECT_NE(id_of("a"), 0U) << "no backoff after a refusal";
}

TEST_F(OfflineTest, WhileDownNobodyWaits) {
  source().put("a", "a", "v1");
  open();
  expire();
  source().fail_all(Code::unreachable);
  EXPECT_NE(id_of("a"), 0U);
  const auto asked = source().count(Op::list);
  for (int i = 0; i < 10; ++i) EXPECT_NE(id_of("a"), 0U);
  EXPECT_EQ(source().count(Op::list), asked) << "within the backoff window";
  clock_.advance(std::chrono::seconds(1));
  EXPECT_NE(id_of("a"), 0U);
  EXPECT_EQ(source().count(Op::list), asked + 1) << "tried again after it";
  source().fail_all(std::nullopt);
  source().put("b", "b", "v1");
  clock_.advance(std::chrono::seconds(2));
  EXPECT_NE(id_of("b"), 0U) << "recovers by itself";
}

TEST_F(OfflineTest, TheWaitIsShortWhenThereAreOldData) {
  source().put("a", "a", "v1");
  source().put_directory("d");
  open();
  ASSERT_TRUE(stack().list(id_of("d")).ok());
  EXPECT_EQ(source().last_context().no_progress, std::chrono::seconds(10));
  expire();
  ASSERT_NE(id_of("a"), 0U);
  EXPECT_EQ(source().last_context().no_progress, std::chrono::seconds(2));
}

TEST_F(OfflineTest, AKnownEntryIsServedWhenItCannotBeAskedAbout) {
  use_inexact_listings();
  source().put("a", "aaa", "v1");
  source().put("b", "b", "v1");
  open();
  const NodeId a = id_of("a");
  EXPECT_EQ(content(a), "aaa");
  expire();
  source().fail_all(Code::unreachable);
  EXPECT_EQ(id_of("a"), a);
  EXPECT_EQ(content(a), "aaa") << "known, and in the cache";
  EXPECT_EQ(code_of("b"), Code::unreachable) << "never asked about: an error, not absence";
}

TEST_F(OfflineTest, AnOddDirectoryIsNotAnOriginThatIsDown) {
  source().put_directory("odd");
  source().put("a", "a", "v1");
  open();
  const NodeId odd = id_of("odd");
  source().fail(Op::list, "odd", Code::corrupt);
  EXPECT_EQ(stack().list(odd).error().code, Code::corrupt);
  source().put("b", "b", "v1");
  expire();
  EXPECT_EQ(content(id_of("b")), "b") << "the root is listed anew, not served old";
}

TEST_F(OfflineTest, OpensOfflineWhenItWasOpenedBefore) {
  source().put("a", "a", "v1");
  open();
  const NodeId a = id_of("a");
  EXPECT_EQ(content(a), "a");
  stack().close();
  source().fail_all(Code::unreachable);
  ASSERT_TRUE(stack().open().ok());
  EXPECT_EQ(id_of("a"), a);
  EXPECT_EQ(content(a), "a");
}

TEST_F(OfflineTest, DoesNotOpenOfflineTheFirstTime) {
  source().fail_all(Code::unreachable);
  Stack first(dir_.path() / "cache", source_, clock_, {});
  EXPECT_EQ(first.open().error().code, Code::unreachable);
}

TEST_F(OfflineTest, DoesNotOpenWhereItIsRefused) {
  source().put("a", "a", "v1");
  open();
  stack().close();
  source().fail_all(Code::access_denied);
  EXPECT_EQ(stack().open().error().code, Code::access_denied);
}

TEST_F(OfflineTest, StopAnswersEveryoneWhoWaits) {
  source().put_directory("d");
  source().put("d/f", "x", "v1");
  open();
  const NodeId d = id_of("d");
  source().hold();
  Answer<Node> lookup;
  stack().volume().lookup(d, "f", {}, lookup.done());
  EXPECT_FALSE(lookup.here());
  std::thread stopper([&] { stack().volume().stop(); });
  EXPECT_EQ(lookup.get().error().code, Code::cancelled);
  source().release();
  stopper.join();
  EXPECT_EQ(stack().lookup(d, "f").error().code, Code::cancelled);
}

/// Keeps what it was given, as a source may.
class Hoarder final : public Source {
 public:
  explicit Hoarder(std::shared_ptr<Source> inner) : inner_(std::move(inner)) {}
  std::set<std::string> kinds() const {
    std::set<std::string> kinds;
    for (const auto& [kind, kept] : *hoard_.lock()) kinds.insert(kind);
    return kinds;
  }

  SourceTraits traits() const override { return inner_->traits(); }
  void list(std::string path, std::string known, RequestContext ctx, ListDone done) override {
    keep("list", done);
    inner_->list(std::move(path), std::move(known), std::move(ctx), std::move(done));
  }
  void stat(std::string path, RequestContext ctx, StatDone done) override {
    keep("stat", done);
    inner_->stat(std::move(path), std::move(ctx), std::move(done));
  }
  std::shared_ptr<Transfer> read(ReadRequest request, std::shared_ptr<ReadSink> sink,
                                 RequestContext ctx) override {
    keep("read", sink);
    return inner_->read(std::move(request), std::move(sink), std::move(ctx));
  }

 private:
  void keep(const char* kind, std::any what) { hoard_.lock()->emplace_back(kind, std::move(what)); }

  const std::shared_ptr<Source> inner_;
  base::Locked<std::vector<std::pair<std::string, std::any>>> hoard_;
};

TEST_F(OfflineTest, StopLeavesNothingWithTheSource) {
  use_inexact_listings();  // so that it is asked for all: listings, descriptions, bytes
  source().put("f", "x", "v1");
  const auto hoarder = std::make_shared<Hoarder>(source_);
  auto first =
      std::make_unique<Stack>(dir_.path() / "cache", hoarder, clock_, model::MountOptions());
  for (int life = 0; life < 2; ++life) {  // the second finds the cache's directory free
    ASSERT_TRUE(first->open().ok());
    const auto node = first->walk("f");
    ASSERT_TRUE(node.ok());
    auto file = first->open_file(node->attributes.id);
    ASSERT_TRUE(file.ok());
    const auto bytes = first->read(**file, 0, 10);
    ASSERT_TRUE(bytes.ok());
    EXPECT_EQ(*bytes, "x");
    file->reset();
    first->close();
    clock_.advance(std::chrono::minutes(5));
  }
  first.reset();
  EXPECT_EQ(hoarder->kinds(), (std::set<std::string>{"list", "read", "stat"}));
  EXPECT_EQ(hoarder.use_count(), 1);
}

}  // namespace
}  // namespace lazyvol::testing
