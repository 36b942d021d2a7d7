#include "publish/volume_reader.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "catalog/pack.h"
#include "publish/dir_store.h"
#include "support/temp_dir.h"

namespace lazyvol::publish {
namespace {

using lazyvol::testing::read_file;
using lazyvol::testing::write_file;

TEST(HeadPaths, OfWhatAUserSays) {
  EXPECT_EQ(*head_path(""), "lazyvol-head");
  EXPECT_EQ(*head_path("17"), "revisions/17");
  EXPECT_EQ(*head_path("v1.0_rc-2"), "tags/v1.0_rc-2");
  EXPECT_EQ(revision_path(3), "revisions/3");
  for (const char* bad : {"../x", "a/b", ".hidden", "a b", "0", "007", "123456789012345678901"}) {
    EXPECT_EQ(head_path(bad).error().code, Code::invalid_argument) << bad;
  }
  EXPECT_FALSE(tag_path("").ok());
  EXPECT_FALSE(tag_path("12").ok()) << "nobody could ask for it";
  EXPECT_FALSE(tag_path(std::string(129, 'a')).ok());
  EXPECT_TRUE(tag_path(std::string(128, 'a')).ok());
}

class VolumeReader : public ::testing::Test {
 protected:
  void SetUp() override {
    auto store = make_dir_store(temp_.path());
    ASSERT_TRUE(store.ok());
    store_ = *std::move(store);
  }
  // A pack of frames of these bytes.
  std::vector<catalog::FrameRef> put_pack(const std::vector<std::string>& contents) {
    catalog::PackBuilder pack(catalog::PackKind::metadata);
    std::string bytes = pack.begin();
    std::vector<catalog::FrameRef> frames;
    for (const std::string& content : contents) {
      const auto frame = catalog::encode_frame(content, 3);
      const auto offset = pack.add(*frame);
      frames.push_back(frame->at({}, *offset));
      bytes += frame->bytes;
    }
    bytes += pack.finish();
    write_file(temp_.path() / catalog::pack_path(pack.name()), bytes);
    for (auto& frame : frames) frame.pack = pack.name();
    return frames;
  }
  lazyvol::testing::TempDir temp_;
  std::unique_ptr<Store> store_;
};

TEST_F(VolumeReader, ReadsHeads) {
  const auto none = read_head(*store_, std::string(kHeadPath));
  ASSERT_TRUE(none.ok()) << none.error().message;
  EXPECT_FALSE(none->has_value());
  catalog::Head head;
  head.sequence = 7;
  head.roots = catalog::empty_roots();
  const auto text = catalog::encode_head(head, nullptr);
  ASSERT_TRUE(text.ok());
  ASSERT_TRUE(store_->replace("revisions/7", std::nullopt, *text).ok());
  const auto found = read_head(*store_, revision_path(7));
  ASSERT_TRUE(found.ok() && found->has_value());
  EXPECT_EQ((*found)->text, *text);
  EXPECT_EQ((*found)->document.head, head);
  write_file(temp_.path() / "lazyvol-head", text->substr(0, text->size() - 1));
  EXPECT_EQ(read_head(*store_, "lazyvol-head").error().code, Code::corrupt);
}

TEST_F(VolumeReader, ReadsFramesAndSaysWhatIsWrong) {
  const std::string first = lazyvol::testing::noise(5'000, 1), second(70'000, 'x');
  const auto frames = put_pack({first, second});
  EXPECT_EQ(*read_frame(*store_, frames[0]), first);
  EXPECT_EQ(*read_frame(*store_, frames[1]), second);
  const auto path = temp_.path() / catalog::pack_path(frames[0].pack);
  std::string bytes = read_file(path);
  bytes[frames[0].offset + 100] ^= 1;
  write_file(path, bytes);
  EXPECT_EQ(read_frame(*store_, frames[0]).error().code, Code::corrupt);
  EXPECT_EQ(*read_frame(*store_, frames[1]), second) << "others are unharmed";
  std::filesystem::resize_file(path, frames[1].offset + 1);
  EXPECT_EQ(read_frame(*store_, frames[1]).error().code, Code::corrupt);
  std::filesystem::remove(path);
  EXPECT_EQ(read_frame(*store_, frames[1]).error().code, Code::not_found);
}

TEST_F(VolumeReader, KeepsTheLastPages) {
  const auto frames = put_pack({"one", "two", "three"});
  StorePages pages(*store_, 2);
  for (const auto& frame : frames) ASSERT_TRUE(pages.read(frame).ok());
  std::filesystem::remove(temp_.path() / catalog::pack_path(frames[0].pack));
  EXPECT_EQ(pages.read(frames[0]).error().code, Code::not_found) << "dropped as the oldest";
  EXPECT_EQ(**pages.read(frames[1]), "two");
  EXPECT_EQ(**pages.read(frames[2]), "three");
}

}  // namespace
}  // namespace lazyvol::publish
