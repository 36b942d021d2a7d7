#include "daemon/progress_bar.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <ostream>

#include "base/units.h"

namespace lazyvol::daemon {
namespace {

constexpr std::size_t kBarColumns = 20;

std::uint64_t per_second(std::uint64_t bytes, std::chrono::milliseconds elapsed) {
  const auto ms = static_cast<std::uint64_t>(std::max<std::int64_t>(elapsed.count(), 1));
  return static_cast<std::uint64_t>(static_cast<double>(bytes) * 1000.0 / static_cast<double>(ms));
}

std::string short_time(std::uint64_t seconds) {
  if (seconds < 60) return fmt::format("{}s", seconds);
  if (seconds < 3600) return fmt::format("{}m{:02}s", seconds / 60, seconds % 60);
  return fmt::format("{}h{:02}m", seconds / 3600, seconds / 60 % 60);
}

std::size_t terminal_width() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

}  // namespace

std::string render_progress(const PrefetchProgress& p, std::chrono::milliseconds elapsed,
                            std::size_t width) {
  const std::uint64_t found = std::max(p.bytes_found, p.bytes_done);
  const double share =
      found == 0 ? 0.0 : static_cast<double>(p.bytes_done) / static_cast<double>(found);
  const auto full = static_cast<std::size_t>(share * static_cast<double>(kBarColumns));
  const std::uint64_t speed = per_second(p.bytes_done, elapsed);
  std::string line =
      fmt::format("[{:#<{}}{:.<{}}] {}/{} files  {} / {}  {}/s", "", full, "", kBarColumns - full,
                  p.files_done, p.files_found, base::format_size(p.bytes_done),
                  base::format_size(found), base::format_size(speed));
  if (speed > 0 && found > p.bytes_done) {
    line += "  ETA " + short_time((found - p.bytes_done + speed - 1) / speed);
  }
  if (p.failures > 0) line += fmt::format("  {} failed", p.failures);
  if (line.size() > width) line.resize(width);
  return line;
}

ProgressBar::ProgressBar(std::ostream& out, bool terminal)
    : out_(out), terminal_(terminal), started_(std::chrono::steady_clock::now()) {}

std::chrono::milliseconds ProgressBar::elapsed() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() -
                                                               started_);
}

void ProgressBar::update(const PrefetchProgress& progress) {
  if (!terminal_) return;
  out_ << "\r\x1b[K" << render_progress(progress, elapsed(), terminal_width() - 1) << std::flush;
  drawn_ = true;
}

void ProgressBar::clear() {
  if (drawn_) out_ << "\r\x1b[K" << std::flush;
  drawn_ = false;
}

void ProgressBar::finish(const std::string& label, const PrefetchProgress& p) {
  clear();
  out_ << fmt::format("{}: {} files, {}, {}/s", label, p.files_done,
                      base::format_size(p.bytes_done),
                      base::format_size(per_second(p.bytes_done, elapsed())));
  if (p.failures > 0) out_ << fmt::format(", {} failed", p.failures);
  out_ << std::endl;
}

}  // namespace lazyvol::daemon
