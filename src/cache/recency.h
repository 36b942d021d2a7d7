// Which cached bytes go first: a pure policy, scan resistant, over lossy times of use.
//
// Two classes, as in segmented LRU (Karedla, Love, Wherry: "Caching strategies to improve disk
// system performance", 1994): what was stored and read through at most once is on *probation*; what
// was read again, or at a separate time, is *protected*. Probation goes first, the longest unused
// before others, so one sweep over cold data displaces only data of its own kind. When little is
// left on probation the classes compete by age alone, or a working set that went cold could never
// leave.
#pragma once

#include <cstdint>

namespace lazyvol::cache {

/// Reads of one group of blocks further apart than this are separate uses of it.
inline constexpr std::uint64_t kSeparateMs = 10'000;
/// A time of use is written to the index again only when it moved by this much.
inline constexpr std::uint64_t kPersistEveryMs = 60'000;

/// Milliseconds since the Unix epoch, coarse (a few ms) and cheap.
std::uint64_t coarse_now_ms() noexcept;

struct Use {
  std::uint64_t last_ms = 0;  ///< stored or read
  bool was_read = false;      ///< since it is in memory
  bool is_protected = false;
};

/// Records a read at `now_ms`; `again` says that these very bytes were read before. True when the
/// class changed.
bool record_read(Use& use, std::uint64_t now_ms, bool again) noexcept;

/// True when `a` is to be evicted before `b`. `classes_matter` is false when little is on
/// probation. A strict weak order.
bool goes_before(const Use& a, const Use& b, bool classes_matter) noexcept;

/// Whether the classes still matter, from what they hold.
bool classes_matter(std::uint64_t protected_bytes, std::uint64_t all_bytes) noexcept;

}  // namespace lazyvol::cache
