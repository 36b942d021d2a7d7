#include "model/profile.h"

#include <gtest/gtest.h>

#include <random>

namespace lazyvol::model {
namespace {

Profile parsed(std::string_view text) {
  const auto profile = parse_profile(text);
  EXPECT_TRUE(profile.ok()) << text << ": " << (profile.ok() ? "" : profile.error().message);
  return profile.ok() ? *profile : Profile{};
}

std::string refused(const std::string& line) {
  const auto profile = parse_profile("lazyvol-profile 1\n" + line + "\n");
  EXPECT_FALSE(profile.ok()) << line;
  if (profile.ok()) return {};
  EXPECT_EQ(profile.error().code, Code::invalid_argument);
  return profile.error().message;
}

TEST(Profile, HasATextForm) {
  const Profile profile{{"bin/tool", false, {{0, 65'536}, {1'048'576, 1'114'112}}},
                        {"lib", true, {}},
                        {"", true, {}},
                        {"with space\nand line", false, {}}};
  const std::string text = format_profile(profile);
  EXPECT_EQ(text,
            "lazyvol-profile 1\nbin/tool 0-65536,1048576-1114112\nlib/\n/\n"
            "with%20space%0Aand%20line\n");
  EXPECT_EQ(parsed(text), profile);
}

TEST(Profile, APlainListOfPathsIsOne) {
  EXPECT_EQ(parsed("./a b\n/c\n\nd/%41/\n"),
            (Profile{{"a b", false, {}}, {"c", false, {}}, {"d/%41", false, {}}}));
  EXPECT_TRUE(parsed(std::string("a\0b\n", 4) + std::string(5'000, 'x')).empty());
  EXPECT_TRUE(parsed("").empty());
  EXPECT_TRUE(parsed("lazyvol-profile 1\n\n").empty());
}

TEST(Profile, WhatIsWrongIsNamedWithItsLine) {
  for (const char* line :
       {"a 5-5", "a 6-5", "a 1-2,2-3", "a 5-6,1-2", "a 1-2,", "a ", "a x-y", "a 1", "a/ 1-2",
        "a -1-2", "a 1-18446744073709551616", "%zz", "/a", "a//", " 1-2"}) {
    EXPECT_NE(refused(line).find("line 2"), std::string::npos) << line;
  }
  refused(std::string(5'000, 'a'));
}

TEST(Profile, AnyProfileComesBack) {
  std::mt19937_64 random(std::random_device{}());
  for (int round = 0; round < 200; ++round) {
    Profile profile;
    for (int i = 0; i < 20; ++i) {
      ProfileItem item;
      const std::size_t length = 1 + random() % 30;
      for (std::size_t at = 0; at < length; ++at) {
        item.path += static_cast<char>(1 + random() % 255);
      }
      if (item.path.front() == '/') item.path.front() = 'x';
      if (item.path.back() == '/') item.path.back() = 'x';
      item.directory = random() % 4 == 0;
      std::uint64_t at = random() % 1'000;
      for (std::uint64_t n = item.directory ? 0 : random() % 5; n > 0; --n) {
        const std::uint64_t end = at + 1 + random() % 100'000;
        item.ranges.push_back({at, end});
        at = end + 1 + random() % 1'000;
      }
      profile.push_back(std::move(item));
    }
    EXPECT_EQ(parsed(format_profile(profile)), profile);
  }
}

}  // namespace
}  // namespace lazyvol::model
