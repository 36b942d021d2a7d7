// How far a prefetch is, for a terminal or for a log.
#pragma once

#include <chrono>
#include <cstdint>
#include <iosfwd>
#include <string>

#include "lazyvol/volume.h"

namespace lazyvol::daemon {

/// "[####....] 12/40 files  3.4 MiB / 10.0 MiB  1.2 MiB/s  ETA 6s", at most `width` columns. The
/// bar has no length while nothing is known to be found. Pure.
std::string render_progress(const PrefetchProgress& progress, std::chrono::milliseconds elapsed,
                            std::size_t width);

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

}  // namespace lazyvol::daemon
