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

publish::PublishProgress publishing(publish::PublishProgress::Phase phase) {
  publish::PublishProgress seen;
  seen.phase = phase;
  seen.files_found = 40;
  seen.bytes_found = 20 << 20;
  seen.files_done = 10;
  seen.bytes_done = 10 << 20;
  seen.bytes_read = 8 << 20;
  seen.bytes_known = 2 << 20;
  return seen;
}

TEST(RenderPublish, EachPhase) {
  using Phase = publish::PublishProgress::Phase;
  const auto line = [](Phase phase) {
    return render_progress(publishing(phase), seconds(10), 200);
  };
  EXPECT_EQ(line(Phase::scanning), "scanning: 40 files  20.0 MiB");
  EXPECT_EQ(
      line(Phase::storing),
      "[##########..........] 10/40 files  10.0 MiB / 20.0 MiB  1.0 MiB/s  25 % known  ETA 10s");
  EXPECT_EQ(line(Phase::catalog), "writing the catalog");
  EXPECT_EQ(line(Phase::finishing), "writing the head");
  EXPECT_EQ(render_progress(publishing(Phase::storing), seconds(10), 30).size(), 30U);
}

TEST(RenderVerify, EachPhase) {
  publish::VerifyProgress seen;
  seen.pages = 120;
  EXPECT_EQ(render_progress(seen, seconds(1), 200), "120 pages");
  seen.phase = publish::VerifyProgress::Phase::data;
  seen.bytes_found = 20 << 20;
  seen.bytes_done = 5 << 20;
  EXPECT_EQ(render_progress(seen, seconds(5), 200),
            "[#####...............] 5.0 MiB / 20.0 MiB  1.0 MiB/s  ETA 15s");
  seen.bytes_done = 21 << 20;  // more than was there a moment ago
  EXPECT_TRUE(render_progress(seen, seconds(5), 200).starts_with("[####################]"));
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
