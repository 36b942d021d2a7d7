// The volume goes on when its index cannot be written.
#include "volume_fixture.h"

namespace lazyvol::testing {
namespace {

using FullDiskTest = VolumeTest;

TEST_F(FullDiskTest, NewListingsAreKeptInMemory) {
  source().put_directory("d");
  source().put_directory("d/e");
  source().put("d/e/f", "bytes", "v1");
  open();
  stack().index().set_full(true);
  const NodeId f = id_of("d/e/f");
  ASSERT_NE(f, 0U);
  EXPECT_EQ(content(f), "bytes");
  EXPECT_EQ(stack().attributes(f)->attributes.size, 5U);
  EXPECT_EQ(names(id_of("d")), std::vector<std::string>{"e"});
  const auto lists = source().count(Op::list);
  EXPECT_EQ(id_of("d/e/f"), f);
  EXPECT_EQ(source().count(Op::list), lists) << "kept, not asked for at every use";
}

TEST_F(FullDiskTest, ChangesShowAndIdsKeepTheirRules) {
  use_inexact_listings();
  source().put("a", "a", "v1", "1");
  source().put("gone", "x", "v1", "1");
  open();
  const NodeId a = id_of("a"), gone = id_of("gone");
  stack().index().set_full(true);
  source().put("a", "new", "v2", "2");
  source().put("b", "b", "v1", "1");
  source().remove("gone");
  expire();
  const NodeId now = id_of("a");
  EXPECT_NE(now, a);
  EXPECT_EQ(content(now), "new");
  EXPECT_EQ(content(id_of("b")), "b");
  EXPECT_EQ(code_of("gone"), Code::not_found);
  EXPECT_EQ(stack().attributes(gone).error().code, Code::stale);
  EXPECT_EQ(stack().attributes(a).error().code, Code::stale);
  expire();
  EXPECT_EQ(id_of("a"), now) << "an unchanged listing changes nothing";
}

TEST_F(FullDiskTest, WhatWasKeptIsStoredWhenTheDiskHasRoomAgain) {
  source().put_directory("d");
  source().put("d/f", "bytes", "v1");
  open();
  stack().index().set_full(true);
  const NodeId f = id_of("d/f");
  stack().index().set_full(false);
  expire();
  EXPECT_EQ(id_of("d/f"), f);
  stack().close();
  source().fail_all(Code::unreachable);
  ASSERT_TRUE(stack().open().ok());
  EXPECT_EQ(id_of("d/f"), f);
}

TEST_F(FullDiskTest, AVanishedDirectoryIsGone) {
  source().put_directory("d");
  source().put_directory("d/e");
  source().put("d/e/f", "x", "v1");
  open();
  const NodeId e = id_of("d/e"), f = id_of("d/e/f");
  stack().index().set_full(true);
  source().remove("d");
  expire();
  EXPECT_EQ(code_of("d"), Code::not_found);
  EXPECT_FALSE(stack().lookup(e, "f").ok());
  EXPECT_FALSE(stack().attributes(f).ok());
}

}  // namespace
}  // namespace lazyvol::testing
