// How far a prefetch is, for a terminal or for a log.
#pragma once

#include <chrono>
#include <cstdint>
#include <iosfwd>
#include <string>

#include "base/locked.h"
#include "daemon/cli.h"
#include "lazyvol/volume.h"
#include "publish/publisher.h"
#include "publish/verify.h"

namespace lazyvol::daemon {

/// "[####....] 12/40 files  3.4 MiB / 10.0 MiB  1.2 MiB/s  ETA 6s", at most `width` columns. The
/// bar has no length while nothing is known to be found. Pure.
std::string render_progress(const PrefetchProgress& progress, std::chrono::milliseconds elapsed,
                            std::size_t width);

/// "[####....] 12/40 files  3.4 MiB / 10.0 MiB  1.2 MiB/s  45 % known  ETA 6s"; the share of the
/// bytes that were read which the volume had already. Before and after storing, what is being done.
std::string render_progress(const publish::PublishProgress& progress,
                            std::chrono::milliseconds elapsed, std::size_t width);
/// "120 pages", then "[####....] 3.4 MiB / 10.0 MiB  1.2 MiB/s  ETA 6s".
std::string render_progress(const publish::VerifyProgress& progress,
                            std::chrono::milliseconds elapsed, std::size_t width);

/// Draws in place on a terminal; prints nothing until the end elsewhere. Not thread-safe.
class ProgressBar {
 public:
  ProgressBar(std::ostream& out, bool terminal);
  void update(const PrefetchProgress& progress);
  /// Wipes the bar and prints the summary line "LABEL: 40 files, 10.0 MiB, 1.2 MiB/s".
  void finish(const std::string& label, const PrefetchProgress& progress);
  /// Wipes the bar.
  void clear();

 private:
  std::chrono::milliseconds elapsed() const;

  std::ostream& out_;
  const bool terminal_;
  const std::chrono::steady_clock::time_point started_;
  bool drawn_ = false;
};

/// The progress of a command that takes long: in place on a terminal; else, now and then, a line on
/// `err`, so that a log shows it, too. Thread-safe.
class ProgressLine {
 public:
  explicit ProgressLine(Console console);
  /// Wipes what is drawn.
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void update(const publish::PublishProgress& progress);
  void update(const publish::VerifyProgress& progress);
  void update(const std::string& line);
  /// Wipes what is drawn: something else will be printed.
  void clear();
  std::chrono::milliseconds elapsed() const;

 private:
  struct State {
    std::chrono::steady_clock::time_point shown;
    bool drawn = false;
  };
  static std::size_t width(const Console& console);

  const Console console_;
  const std::chrono::steady_clock::time_point started_;
  base::Locked<State> state_;
};

}  // namespace lazyvol::daemon
