#include <gtest/gtest.h>

#include <chrono>

#include "support/servers.h"
#include "support/temp_dir.h"

namespace lazyvol::testing {
namespace {

class RelayTest : public ::testing::Test {
 protected:
  static constexpr std::size_t kSize = 24 << 20;

  CommandResult get(const std::string& name, std::vector<std::string> more = {}) {
    std::vector<std::string> argv = {
        "curl",
        "-sS",
        "--fail",
        "--max-time",
        "30",
        "-o",
        (dir_.path() / "got").string(),
        "http://127.0.0.1:" + std::to_string(relay_.port()) + "/" + name};
    argv.insert(argv.end(), more.begin(), more.end());
    return run(argv);
  }
  std::string got() { return read_file(dir_.path() / "got"); }

  TempDir dir_;
  std::string big_ = noise(kSize, 1);
  Nginx nginx_{(write_file(dir_.path() / "www" / "big", big_), dir_.path() / "www")};
  Relay relay_{nginx_.port()};
};

TEST_F(RelayTest, PassesBytesOnUnchanged) {
  EXPECT_EQ(get("big").status, 0);
  EXPECT_TRUE(got() == big_);
  EXPECT_EQ(relay_.connections(), 1u);
}

TEST_F(RelayTest, DelaysByRoundTripsAndNotBySegments) {
  using namespace std::chrono_literals;
  relay_.set_delay(40ms);
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(get("big").status, 0);
  const auto took = std::chrono::steady_clock::now() - begin;
  EXPECT_TRUE(got() == big_);
  EXPECT_GE(took, 160ms);  // opening and one exchange
  // One segment at a time would need a round trip for each of at least 96 segments: 7.7 s.
  EXPECT_LT(took, 5s);
}

TEST_F(RelayTest, CutsAfterSoManyBytes) {
  relay_.set_cut_after(1'000'000);
  EXPECT_NE(get("big").status, 0);
  EXPECT_LT(got().size(), 1'000'000u);
  EXPECT_GT(got().size(), 990'000u);  // the response's head counts, too
  EXPECT_TRUE(big_.starts_with(got()));
  relay_.set_cut_after(0);
  EXPECT_EQ(get("big").status, 0);
}

TEST_F(RelayTest, FlipsOneBit) {
  relay_.set_corrupt_after(5'000'000);
  EXPECT_EQ(get("big").status, 0);
  const std::string bytes = got();
  ASSERT_EQ(bytes.size(), big_.size());
  std::size_t different = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) different += bytes[i] != big_[i];
  EXPECT_EQ(different, 1u);
}

TEST_F(RelayTest, RefusesAndStalls) {
  relay_.set_refusing(true);
  EXPECT_NE(get("big").status, 0);
  relay_.set_refusing(false);
  relay_.set_stalled(true);
  EXPECT_EQ(get("big", {"--max-time", "1"}).status, 28);  // curl's code for a timeout
  relay_.set_stalled(false);
  EXPECT_EQ(get("big").status, 0);
}

}  // namespace
}  // namespace lazyvol::testing
