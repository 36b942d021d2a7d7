#include "base/units.h"

#include <gtest/gtest.h>

#include <optional>

namespace lazyvol::base {
namespace {

using std::chrono::milliseconds;

TEST(ParseSize, Table) {
  const struct {
    const char* text;
    std::optional<std::uint64_t> expected;
  } rows[] = {
      {"0", 0},
      {"4096", 4096},
      {"4096B", 4096},
      {"64K", 64 * kKiB},
      {"64k", 64 * kKiB},
      {"64KiB", 64 * kKiB},
      {"64kb", 64'000},
      {"1.5G", 3 * kGiB / 2},
      {"10GB", 10'000'000'000},
      {"2T", 2048 * kGiB},
      {"1P", 1024 * 1024 * kGiB},
      {"9007199254740993", 9007199254740993},  // 2^53 + 1: no double holds it
      {"9223372036854775808", 1ULL << 63},
      {"8191P", 8191ULL << 50},
      {"9223372036854775809", std::nullopt},
      {"8193P", std::nullopt},
      {"99999999999999999999999", std::nullopt},
      {"", std::nullopt},
      {"K", std::nullopt},
      {"-1", std::nullopt},
      {"+1", std::nullopt},
      {" 1", std::nullopt},
      {"1 K", std::nullopt},
      {"1x", std::nullopt},
      {"1KiBs", std::nullopt},
      {"1.2.3", std::nullopt},
      {"1e3", std::nullopt},
      {"0x10", std::nullopt},
      {"nan", std::nullopt},
  };
  for (const auto& row : rows) {
    const auto size = parse_size(row.text);
    ASSERT_EQ(size.ok(), row.expected.has_value()) << row.text;
    if (size.ok())
      EXPECT_EQ(*size, *row.expected) << row.text;
    else
      EXPECT_EQ(size.error().code, Code::invalid_argument) << row.text;
  }
}

TEST(ParseDuration, Table) {
  const struct {
    const char* text;
    std::optional<std::int64_t> expected_ms;
  } rows[] = {
      {"0", 0},           {"60", 60'000},
      {"60s", 60'000},    {"0.5", 500},
      {"500ms", 500},     {"5m", 300'000},
      {"5min", 300'000},  {"2h", 7'200'000},
      {"1d", 86'400'000}, {"1.5H", 5'400'000},
      {"minimal", 0},     {"indefinite", milliseconds::max().count()},
      {"", {}},           {"s", {}},
      {"-1", {}},         {"1w", {}},
      {"1 s", {}},        {"99999999999999999999d", {}},
      {"forever", {}},    {"1e3", {}},
  };
  for (const auto& row : rows) {
    const auto duration = parse_duration(row.text);
    ASSERT_EQ(duration.ok(), row.expected_ms.has_value()) << row.text;
    if (duration.ok()) {
      EXPECT_EQ(duration->count(), *row.expected_ms) << row.text;
    }
  }
}

TEST(ParseRatio, Table) {
  const struct {
    const char* text;
    std::optional<double> expected;
  } rows[] = {
      {"0", 0.0},  {"1", 1.0},   {"0.1", 0.1}, {"10%", 0.1}, {"100%", 1.0}, {"0%", 0.0},
      {"1.1", {}}, {"101%", {}}, {"-0.1", {}}, {"", {}},     {"%", {}},     {"0.1x", {}},
  };
  for (const auto& row : rows) {
    const auto ratio = parse_ratio(row.text);
    ASSERT_EQ(ratio.ok(), row.expected.has_value()) << row.text;
    if (ratio.ok()) {
      EXPECT_DOUBLE_EQ(*ratio, *row.expected) << row.text;
    }
  }
}

TEST(ParseOctalMode, Table) {
  const struct {
    const char* text;
    std::optional<std::uint32_t> expected;
  } rows[] = {
      {"644", 0644}, {"0755", 0755}, {"4755", 04755}, {"000", 0},  {"", {}},
      {"64", {}},    {"00644", {}},  {"888", {}},     {"rwx", {}}, {"-64", {}},
  };
  for (const auto& row : rows) {
    const auto mode = parse_octal_mode(row.text);
    ASSERT_EQ(mode.ok(), row.expected.has_value()) << row.text;
    if (mode.ok()) {
      EXPECT_EQ(*mode, *row.expected) << row.text;
    }
  }
}

TEST(FormatSize, Table) {
  EXPECT_EQ(format_size(0), "0 B");
  EXPECT_EQ(format_size(1023), "1023 B");
  EXPECT_EQ(format_size(1024), "1.0 KiB");
  EXPECT_EQ(format_size(3 * kGiB / 2), "1.5 GiB");
  EXPECT_EQ(format_size(~0ULL), "16384.0 PiB");
}

TEST(Parsers, NameTheTextTheyRefuse) {
  EXPECT_NE(parse_size("12parsecs").error().message.find("'12parsecs'"), std::string::npos);
  EXPECT_NE(parse_duration("soon").error().message.find("'soon'"), std::string::npos);
}

}  // namespace
}  // namespace lazyvol::base
