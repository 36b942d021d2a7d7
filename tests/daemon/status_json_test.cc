#include "daemon/status_json.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "daemon/control_client.h"
#include "daemon/golden.h"

namespace lazyvol::daemon {
namespace {

/// "path type" for every field, arrays by their first item.
void list_names(const ControlJson& json, const std::string& prefix, std::string& out) {
  if (json.is_object()) {
    for (const auto& item : json.items()) list_names(item.value(), prefix + "." + item.key(), out);
  } else if (json.is_array() && !json.empty()) {
    list_names(json.front(), prefix + "[]", out);
  } else {
    out += prefix.substr(1) + " " + json.type_name() + "\n";
  }
}

TEST(StatusJson, NamesAreAContract) {
  DaemonStatus status;
  status.mounts.emplace_back().volume.published.emplace();
  status.mounts.back().traits.capabilities = {"conditional reads"};
  std::string names;
  list_names(ControlJson::parse(status_to_json(status)), "", names);
  expect_golden("status.txt", names);
}

TEST(StatusJson, CarriesTheFigures) {
  DaemonStatus status;
  status.cache_dir = "/c";
  status.cache.bytes = 7;
  status.cache.limit_bytes = 70;
  MountStatus mount;
  mount.mountpoint = "/m";
  mount.volume.stale_served = 3;
  mount.volume.fetch.bytes_fetched = 1ULL << 40;
  mount.volume.fetch.in_flight_bytes = 11;
  status.mounts = {mount, mount};
  const auto json = ControlJson::parse(status_to_json(status));
  EXPECT_EQ(json_text(json, "/cache/dir"), "/c");
  EXPECT_EQ(json_number(json, "/limits/cache_bytes/used"), 7u);
  EXPECT_EQ(json_number(json, "/limits/cache_bytes/limit"), 70u);
  EXPECT_EQ(json_number(json, "/limits/memory_bytes/used"), 22u);
  EXPECT_EQ(json_number(json, "/limits/mounts/used"), 2u);
  EXPECT_EQ(json_text(json, "/mounts/0/mountpoint"), "/m");
  EXPECT_EQ(json_number(json, "/mounts/0/metadata/stale_served"), 3u);
  EXPECT_EQ(json_number(json, "/mounts/0/fetch/bytes_fetched"), 1ULL << 40);
}

TEST(StatusJson, BytesThatAreNoUtf8DoNotBreakIt) {
  DaemonStatus status;
  status.mounts.emplace_back();
  status.mounts[0].mountpoint = "/m\xff\xfe";
  EXPECT_FALSE(ControlJson::parse(status_to_json(status), nullptr, false).is_discarded());
}

TEST(ProcessGauges, DescribeThisProcess) {
  DaemonStatus status;
  fill_process_gauges(status);
  EXPECT_EQ(status.pid, getpid());
  EXPECT_GT(status.rss_bytes, 1'000'000u);
  EXPECT_GE(status.open_files, 3u);
  EXPECT_GE(status.open_files_limit, status.open_files);
}

}  // namespace
}  // namespace lazyvol::daemon
