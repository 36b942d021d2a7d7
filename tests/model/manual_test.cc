// mount.lazyvol(8) and --help come from different hands: this holds them together.
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "model/options.h"

namespace lazyvol::model {
namespace {

/// "cache-dir=DIR" of each ".It Cm cache-dir Ns = Ns Ar DIR" in the section OPTIONS.
std::vector<std::string> options_of_manual(std::istream& manual) {
  std::vector<std::string> out;
  bool inside = false;
  for (std::string line; std::getline(manual, line);) {
    if (line.starts_with(".Sh ")) inside = line == ".Sh OPTIONS";
    constexpr std::string_view item = ".It Cm ", between = " Ns = Ns Ar ";
    if (!inside || !line.starts_with(item)) continue;
    std::string text = line.substr(item.size());
    if (const auto at = text.find(between); at != std::string::npos) {
      text.replace(at, between.size(), "=");
    }
    out.push_back(std::move(text));
  }
  return out;
}

TEST(Manual, HasTheOptionsOfTheTableInItsOrder) {
  std::ifstream manual(LAZYVOL_MOUNT_MANUAL);
  ASSERT_TRUE(manual) << LAZYVOL_MOUNT_MANUAL;
  std::vector<std::string> expected;
  for (const auto& option : mount_option_help()) {
    expected.push_back(std::string(option.name));
    if (!option.argument.empty()) expected.back().append("=").append(option.argument);
  }
  EXPECT_EQ(options_of_manual(manual), expected);
}

}  // namespace
}  // namespace lazyvol::model
