#include "volume/stat_ahead.h"

#include <algorithm>

namespace lazyvol::volume {

std::optional<Span> StatAhead::on_demand(std::size_t position) {
  if (started_ && position == last_) return std::nullopt;
  const bool in_order = started_ && position > last_ && position <= last_ + kStep;
  started_ = true;
  last_ = position;
  if (!in_order) {
    streak_ = 1;
    ahead_ = 0;
    return std::nullopt;
  }
  if (++streak_ < kStreak) return std::nullopt;
  const Span span{std::max(position + 1, ahead_), position + 1 + kAhead};
  const bool first = ahead_ == 0;
  if (span.begin >= span.end || (!first && span.end - span.begin < kBatch)) return std::nullopt;
  ahead_ = span.end;
  return span;
}

}  // namespace lazyvol::volume
