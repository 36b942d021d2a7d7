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

std::string bar(std::uint64_t done, std::uint64_t found) {
  const double share =
      found == 0 ? 0.0 : std::min(1.0, static_cast<double>(done) / static_cast<double>(found));
  const auto full = static_cast<std::size_t>(share * static_cast<double>(kBarColumns));
  return fmt::format("[{:#<{}}{:.<{}}]", "", full, "", kBarColumns - full);
}

/// "3.4 MiB / 10.0 MiB  1.2 MiB/s", and the time left.
std::string amounts(std::uint64_t done, std::uint64_t found, std::uint64_t speed) {
  return fmt::format("{} / {}  {}/s", base::format_size(done), base::format_size(found),
                     base::format_size(speed));
}

std::string time_left(std::uint64_t done, std::uint64_t found, std::uint64_t speed) {
  if (speed == 0 || found <= done) return {};
  return "  ETA " + short_time((found - done + speed - 1) / speed);
}

std::string cut(std::string line, std::size_t width) {
  if (line.size() > width) line.resize(width);
  return line;
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
  const std::uint64_t speed = per_second(p.bytes_done, elapsed);
  std::string line =
      fmt::format("{} {}/{} files  {}{}", bar(p.bytes_done, found), p.files_done, p.files_found,
                  amounts(p.bytes_done, found, speed), time_left(p.bytes_done, found, speed));
  if (p.failures > 0) line += fmt::format("  {} failed", p.failures);
  return cut(std::move(line), width);
}

std::string render_progress(const publish::PublishProgress& p, std::chrono::milliseconds elapsed,
                            std::size_t width) {
  using Phase = publish::PublishProgress::Phase;
  const std::uint64_t found = std::max(p.bytes_found, p.bytes_done);
  const std::uint64_t speed = per_second(p.bytes_done, elapsed);
  std::string line;
  switch (p.phase) {
    case Phase::scanning:
      line = fmt::format("scanning: {} files  {}", p.files_found, base::format_size(p.bytes_found));
      break;
    case Phase::storing:
      line =
          fmt::format("{} {}/{} files  {}", bar(p.bytes_done, found), p.files_done,
                      std::max(p.files_found, p.files_done), amounts(p.bytes_done, found, speed));
      if (p.bytes_read > 0) {
        line += fmt::format(
            "  {} % known",
            std::min<std::uint64_t>(
                100, static_cast<std::uint64_t>(100.0 * static_cast<double>(p.bytes_known) /
                                                static_cast<double>(p.bytes_read))));
      }
      line += time_left(p.bytes_done, found, speed);
      break;
    case Phase::catalog:
      line = "writing the catalog";
      break;
    case Phase::finishing:
      line = "writing the head";
      break;
  }
  return cut(std::move(line), width);
}

std::string render_progress(const publish::VerifyProgress& p, std::chrono::milliseconds elapsed,
                            std::size_t width) {
  using Phase = publish::VerifyProgress::Phase;
  const std::uint64_t speed = per_second(p.bytes_done, elapsed);
  std::string line;
  switch (p.phase) {
    case Phase::metadata:
      line = fmt::format("{} pages", p.pages);
      break;
    case Phase::data:
      line = fmt::format("{} {}{}", bar(p.bytes_done, p.bytes_found),
                         amounts(p.bytes_done, p.bytes_found, speed),
                         time_left(p.bytes_done, p.bytes_found, speed));
      break;
    case Phase::harm:
      line = "damage found: seeking the files that need it";
      break;
  }
  return cut(std::move(line), width);
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

namespace {
constexpr std::chrono::milliseconds kRedraw{100}, kPlainLine{5'000};
}

ProgressLine::ProgressLine(Console console)
    : console_(console), started_(std::chrono::steady_clock::now()) {
  state_.lock()->shown = started_;
}

ProgressLine::~ProgressLine() {
  clear();
}

std::chrono::milliseconds ProgressLine::elapsed() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() -
                                                               started_);
}

std::size_t ProgressLine::width(const Console& console) {
  return console.terminal ? terminal_width() - 1 : 200;
}

void ProgressLine::update(const publish::PublishProgress& progress) {
  update(render_progress(progress, elapsed(), width(console_)));
}

void ProgressLine::update(const publish::VerifyProgress& progress) {
  update(render_progress(progress, elapsed(), width(console_)));
}

void ProgressLine::update(const std::string& line) {
  const auto state = state_.lock();
  const auto now = std::chrono::steady_clock::now();
  if (now - state->shown < (console_.terminal ? kRedraw : kPlainLine)) return;
  state->shown = now;
  if (console_.terminal) {
    console_.out << "\r\x1b[K" << line << std::flush;
    state->drawn = true;
  } else {
    console_.err << line << std::endl;
  }
}

void ProgressLine::clear() {
  const auto state = state_.lock();
  if (state->drawn) console_.out << "\r\x1b[K" << std::flush;
  state->drawn = false;
}

}  // namespace lazyvol::daemon
