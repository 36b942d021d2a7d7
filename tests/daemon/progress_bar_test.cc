#include "daemon/progress_bar.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>
#include <string>

namespace lazyvol::daemon {
namespace {

using std::chrono::seconds;

PrefetchProgress progress(std::uint64_t files_done, std::uint64_t files_found,
                          std::uint64_t bytes_done, std::uint64_t bytes_found,
                          std::uint64_t failures = 0) {
  return {files_done, files_found, bytes_done, bytes_found, failures, false};
}

TEST(RenderProgress, ShowsShareSpeedAndTimeLeft) {
  const auto line = render_progress(progress(5, 10, 10 << 20, 20 << 20), seconds(10), 200);
  EXPECT_EQ(line, "[##########..........] 5/10 files  10.0 MiB / 20.0 MiB  1.0 MiB/s  ETA 10s");
}

TEST(RenderProgress, BeginsWithNothing) {
  const auto line = render_progress(progress(0, 0, 0, 0), seconds(0), 200);
  EXPECT_EQ(line, "[....................] 0/0 files  0 B / 0 B  0 B/s");
}

TEST(RenderProgress, IsFullAtTheEndAndNamesFailures) {
  const auto line = render_progress(progress(9, 10, 1 << 20, 1 << 20, 1), seconds(1), 200);
  EXPECT_TRUE(line.starts_with("[####################] 9/10 files")) << line;
  EXPECT_TRUE(line.ends_with("1 failed")) << line;
  EXPECT_EQ(line.find("ETA"), std::string::npos);
}

TEST(RenderProgress, KeepsToTheWidth) {
  for (const std::size_t width : {1u, 10u, 40u}) {
    EXPECT_EQ(render_progress(progress(5, 10, 10, 20), seconds(1), width).size(), width);
  }
}

TEST(RenderProgress, LongTimesAreShort) {
  const auto line = render_progress(progress(1, 2, 1000, 7'201'000), seconds(1), 200);
  EXPECT_TRUE(line.ends_with("ETA 2h00m")) << line;
}

TEST(ProgressBar, PrintsOneLineWhereThereIsNoTerminal) {
  std::ostringstream out;
  ProgressBar bar(out, false);
  bar.update(progress(1, 2, 10, 20));
  EXPECT_EQ(out.str(), "");
  bar.finish("dir", progress(2, 2, 20, 20));
  const std::string text = out.str();
  EXPECT_TRUE(text.starts_with("dir: 2 files, 20 B, ")) << text;
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
}

TEST(ProgressBar, DrawsInPlaceOnATerminalAndWipesItself) {
  std::ostringstream out;
  ProgressBar bar(out, true);
  bar.update(progress(1, 2, 10, 20));
  EXPECT_TRUE(out.str().starts_with("\r")) << out.str();
  EXPECT_EQ(out.str().find('\n'), std::string::npos);
  bar.finish("dir", progress(2, 2, 20, 20));
  EXPECT_NE(out.str().find("\r\x1b[Kdir: "), std::string::npos);
}

}  // namespace
}  // namespace lazyvol::daemon
