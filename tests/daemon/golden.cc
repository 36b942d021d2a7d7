#include "daemon/golden.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "support/temp_dir.h"

namespace lazyvol::daemon {

void expect_golden(const std::string& name, const std::string& actual) {
  const std::filesystem::path file = std::filesystem::path(LAZYVOL_GOLDEN_DIR) / name;
  const char* update = std::getenv("LAZYVOL_UPDATE_GOLDEN");
  if (update != nullptr && std::string(update) == "1") {
    testing::write_file(file, actual);
    return;
  }
  ASSERT_TRUE(std::filesystem::exists(file)) << file;
  EXPECT_EQ(testing::read_file(file), actual) << "If the change is meant, run the test with "
                                                 "LAZYVOL_UPDATE_GOLDEN=1 and say so in CHANGELOG.";
}

}  // namespace lazyvol::daemon
