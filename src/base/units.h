// Sizes, durations and ratios as people write them in options.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "lazyvol/error.h"

namespace lazyvol::base {

inline constexpr std::uint64_t kKiB = 1024;
inline constexpr std::uint64_t kMiB = 1024 * kKiB;
inline constexpr std::uint64_t kGiB = 1024 * kMiB;

/// "4096", "64K", "64KiB", "1.5G", "10GB" (K, M, G, T, P; with "iB" or alone 1024-based, with "B"
/// 1000-based; any case). Errors: invalid_argument for anything else or when it exceeds 2^63.
Result<std::uint64_t> parse_size(std::string_view text);

/// "60", "60s", "500ms", "5m", "2h", "1d"; "indefinite" gives duration::max(), "minimal" gives 0.
/// A bare number is seconds; fractions are allowed. Errors: invalid_argument.
Result<std::chrono::milliseconds> parse_duration(std::string_view text);

/// "0.1" or "10%", within 0..1. Errors: invalid_argument.
Result<double> parse_ratio(std::string_view text);

/// Three digits or four, octal ("0755", "644"). Errors: invalid_argument.
Result<std::uint32_t> parse_octal_mode(std::string_view text);

/// "1.5 GiB", "312 B".
std::string format_size(std::uint64_t bytes);

}  // namespace lazyvol::base
