// What an sftp source does when its server, its network or its files misbehave.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <future>
#include <random>
#include <thread>
#include <vector>

#include "source/sftp_rig.h"

namespace lazyvol::source {
namespace {

namespace fs = std::filesystem;
using lazyvol::testing::noise;
using ::testing::AnyOf;
using ::testing::Eq;

constexpr std::uint64_t kWhole = 1ULL << 40;

testing::SshdOptions odd(const std::string& oddities) {
  testing::SshdOptions options;
  options.subsystem = "/usr/bin/python3 " LAZYVOL_TEST_SUPPORT "/odd_sftp_server.py " + oddities;
  return options;
}

RequestContext within(std::chrono::milliseconds time) {
  RequestContext ctx;
  ctx.no_progress = time;
  return ctx;
}

class SftpServers : public ::testing::TestWithParam<std::string> {};

TEST_P(SftpServers, OfAnotherMakeGiveTheSameBytesAndNames) {
  SftpRig rig(odd(GetParam()));
  const std::string bytes = noise(3'000'017, 1);
  rig.put("f", bytes);
  rig.put("g", "small");
  for (int i = 0; i < 20; ++i) rig.put("d/" + std::to_string(i), std::string(i, 'x'));
  fs::create_symlink("target", rig.root() / "d/link");
  ASSERT_EQ(::mkfifo((rig.root() / "d/fifo").c_str(), 0600), 0);
  const auto source = rig.open();
  const auto listing = list(*source, "d");
  ASSERT_TRUE(listing.ok()) << listing.error().message;
  EXPECT_EQ(listing->entries.size(), 21U) << "the fifo is left out";
  for (const RemoteEntry& entry : listing->entries) {
    EXPECT_EQ(entry, *stat(*source, "d/" + entry.name));
  }
  EXPECT_EQ(find(*listing, "link")->symlink_target, "target");
  const auto entry = stat(*source, "f");
  EXPECT_TRUE(read(*source, "f", entry->validator, 0, kWhole).bytes == bytes);
  EXPECT_TRUE(read(*source, "f", entry->validator, 12'345, 700'000).bytes ==
              bytes.substr(12'345, 700'000));
  EXPECT_EQ(read(*source, "g", {}, 0, kWhole).bytes, "small");
}

INSTANTIATE_TEST_SUITE_P(Oddities, SftpServers,
                         ::testing::Values("none", "short", "shuffle", "bare",
                                           "short,shuffle,bare"),
                         [](const auto& kind) {
                           std::string name = kind.param;
                           std::replace(name.begin(), name.end(), ',', '_');
                           return name;
                         });

TEST(SftpSource, AReadThatFailsMidwayEndsWithATransientError) {
  SftpRig rig(odd("broken"));
  rig.put("f", noise(1 << 20, 1));
  const auto source = rig.open();
  const auto outcome = read(*source, "f", {}, 0, kWhole);
  EXPECT_EQ(code_of(outcome.status), Code::io_error);
  EXPECT_LE(outcome.bytes.size(), std::size_t{4} * 32 * 1024);
  EXPECT_TRUE(stat(*source, "f").ok()) << "the connection goes on";
  EXPECT_EQ(rig.relay.connections(), 1U);
}

TEST(SftpSource, AServerThatDiesMidwayIsReplaced) {
  SftpRig rig(odd("lost"));
  const std::string bytes = noise(1 << 20, 1);
  rig.put("f", bytes);
  const auto source = rig.open();
  const auto outcome = read(*source, "f", {}, 0, kWhole);
  ASSERT_FALSE(outcome.status.ok());
  EXPECT_TRUE(is_transient(outcome.status.error().code)) << outcome.status.error().message;
  EXPECT_TRUE(bytes.starts_with(outcome.bytes));
  EXPECT_EQ(read(*source, "f", {}, 0, 100'000).bytes, bytes.substr(0, 100'000));
}

TEST(SftpSource, SlowIsNotDead) {
  SftpRig rig(odd("slow"));
  rig.put("f", "12345");
  model::MountOptions options;
  options.io_timeout = std::chrono::milliseconds(1'200);  // silence is suspect after 300 ms
  const auto source = rig.open(options);
  const auto entry = stat(*source, "f", within(std::chrono::seconds(20)));
  EXPECT_TRUE(entry.ok()) << entry.error().message;
  EXPECT_EQ(rig.relay.connections(), 1U);
}

TEST(SftpSource, KilledSessionsAreReplaced) {
  SftpRig rig;
  const std::string bytes = noise(32 << 20, 2);
  rig.put("f", bytes);
  const auto source = rig.open();
  const auto entry = stat(*source, "f");
  ASSERT_TRUE(entry.ok());
  auto sink = std::make_shared<CollectingSink>();
  std::atomic<bool> killed{false};
  sink->data_flow = [&](std::size_t) {
    if (!killed.exchange(true)) rig.sshd.kill_sessions();
    return Flow::proceed;
  };
  const auto transfer = source->read({"f", entry->validator, 0, kWhole}, sink, {});
  const auto outcome = sink->wait();
  ASSERT_FALSE(outcome.status.ok());
  EXPECT_TRUE(is_transient(outcome.status.error().code)) << outcome.status.error().message;
  EXPECT_TRUE(bytes.starts_with(outcome.bytes));
  EXPECT_EQ(read(*source, "f", entry->validator, 0, kWhole).bytes, bytes);
  rig.sshd.kill_sessions();
  EXPECT_TRUE(stat(*source, "f").ok()) << "stat() tries again by itself";
  EXPECT_TRUE(list(*source, "").ok());
}

TEST(SftpSource, ABlackHoleIsNoticedBeforeTheDeadline) {
  SftpRig rig;
  rig.put("f", noise(1 << 20, 3));
  model::MountOptions options;
  options.io_timeout = std::chrono::seconds(2);
  const auto source = rig.open(options);
  const auto entry = stat(*source, "f");
  ASSERT_TRUE(entry.ok());
  rig.relay.set_stalled(true);
  const auto outcome =
      read(*source, "f", entry->validator, 0, kWhole, within(std::chrono::minutes(5)));
  EXPECT_EQ(code_of(outcome.status), Code::unreachable);
  EXPECT_EQ(code_of(stat(*source, "f", within(std::chrono::milliseconds(300)))), Code::timed_out);
  rig.relay.set_stalled(false);
  rig.relay.cut_all();
  // A login that the hole swallowed may still be on its way to failing.
  EXPECT_TRUE(testing::await([&] {
    return read(*source, "f", entry->validator, 0, kWhole).bytes.size() == std::size_t{1} << 20;
  }));
}

TEST(SftpSource, AStatOutlivesTheConnectionThatItWasAskedOn) {
  SftpRig rig;
  rig.put("f", "12345");
  model::MountOptions options;
  options.io_timeout = std::chrono::seconds(2);
  const auto source = rig.open(options);
  ASSERT_TRUE(stat(*source, "f").ok());
  rig.relay.set_stalled(true);
  auto answer = std::async(std::launch::async,
                           [&] { return stat(*source, "f", within(std::chrono::minutes(1))); });
  ASSERT_TRUE(testing::await([&] { return rig.relay.connections() > 1; })) << "a second try";
  rig.relay.set_stalled(false);
  const auto entry = answer.get();
  EXPECT_TRUE(entry.ok()) << entry.error().message;
}

TEST(SftpSource, ManyReadersOfOneFile) {
  SftpRig rig;
  const std::string bytes = noise(24 << 20, 4);
  rig.put("f", bytes);
  model::MountOptions options;
  options.max_connections = 4;
  const auto source = rig.open(options);
  const auto entry = stat(*source, "f");
  ASSERT_TRUE(entry.ok());
  std::vector<std::shared_ptr<CollectingSink>> sinks;
  std::vector<std::shared_ptr<Transfer>> transfers;
  std::vector<std::uint64_t> offsets;
  std::mt19937 random(5);
  for (int i = 0; i < 64; ++i) {
    offsets.push_back(random() % bytes.size());
    sinks.push_back(std::make_shared<CollectingSink>());
    transfers.push_back(
        source->read({"f", entry->validator, offsets.back(), 1'000'000}, sinks.back(), {}));
  }
  for (int i = 0; i < 64; ++i) {
    const auto outcome = sinks[i]->wait();
    ASSERT_TRUE(outcome.status.ok()) << outcome.status.error().message;
    EXPECT_TRUE(outcome.bytes == bytes.substr(offsets[i], 1'000'000));
  }
  EXPECT_LE(rig.relay.connections(), 4U);
}

TEST(SftpSource, APausedReadDoesNotHoldOthersOfItsConnection) {
  SftpRig rig;
  const std::string bytes = noise(16 << 20, 6);
  rig.put("f", bytes);
  model::MountOptions options;
  options.max_connections = 1;
  const auto source = rig.open(options);
  auto paused = std::make_shared<CollectingSink>();
  std::atomic<bool> pause{true};
  paused->data_flow = [&](std::size_t) { return pause ? Flow::pause : Flow::proceed; };
  const auto transfer = source->read({"f", {}, 0, kWhole}, paused, {});
  ASSERT_TRUE(paused->wait_for(1));
  EXPECT_TRUE(read(*source, "f", {}, 0, kWhole).bytes == bytes);
  EXPECT_TRUE(list(*source, "").ok());
  pause = false;
  transfer->resume();
  EXPECT_TRUE(paused->wait().bytes == bytes);
}

// The writer's files differ in every byte, and in size or mtime, as files do.
TEST(SftpSource, AReplacedFileIsNeverMixed) {
  SftpRig rig;
  constexpr std::size_t kSize = 300'000;
  constexpr int kTries = 1'000;
  rig.put("f", std::string(kSize, 'a'));
  std::atomic<bool> over{false};
  std::thread writer([&] {
    for (int i = 1; !over; ++i) {
      const char letter = static_cast<char>('a' + i % 26);
      const fs::path file = rig.root() / "f", next = rig.root() / "next";
      if (i % 2 == 0) {  // in place: as long, with another time
        rig.put("f", std::string(kSize, letter), 1'600'000'000 + i);
      } else {
        testing::write_file(next, std::string(kSize, letter));
        SftpRig::set_mtime(next, 1'600'000'000 + i);
        fs::rename(next, file);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  });
  const auto source = rig.open();
  int whole = 0, stale = 0;
  for (int i = 0; i < kTries; ++i) {
    const auto first = read(*source, "f", {}, 0, 100'000);
    if (!first.status.ok() || first.bytes.empty()) continue;
    const auto second = read(*source, "f", first.start->validator, 100'000, kWhole);
    if (code_of(second.status) == Code::stale) ++stale;
    if (!second.status.ok()) continue;
    ++whole;
    const std::string all = first.bytes + second.bytes;
    ASSERT_EQ(all.find_first_not_of(all[0]), std::string::npos) << "try " << i;
  }
  over = true;
  writer.join();
  EXPECT_GT(whole + stale, kTries / 4);
}

TEST(SftpSource, OffsetsBeyondFourGibibytes) {
  SftpRig rig;
  const std::string end = noise(100'000, 7);
  rig.put("f", "x");
  const std::uint64_t size = (6ULL << 30) + end.size();
  fs::resize_file(rig.root() / "f", size);
  const int fd = ::open((rig.root() / "f").c_str(), O_WRONLY);
  ASSERT_EQ(::pwrite(fd, end.data(), end.size(), 6LL << 30), static_cast<ssize_t>(end.size()));
  ::close(fd);
  const auto source = rig.open();
  const auto entry = stat(*source, "f");
  EXPECT_EQ(entry->size, size);
  EXPECT_EQ(read(*source, "f", entry->validator, 6ULL << 30, kWhole).bytes, end);
  EXPECT_EQ(read(*source, "f", entry->validator, (4ULL << 30) - 1, 3).bytes, std::string(3, '\0'));
}

TEST(SftpSource, AHundredThousandNames) {
  SftpRig rig;
  // In memory: on a disk, making them takes ten times as long as listing them.
  const fs::path dir = "/dev/shm/lazyvol-test-" + std::to_string(::getpid());
  fs::create_directory(dir);
  for (int i = 0; i < 100'000; ++i) {
    const int fd = ::open((dir / std::to_string(i)).c_str(), O_CREAT | O_WRONLY, 0644);
    ASSERT_GE(fd, 0);
    ::close(fd);
  }
  const auto source =
      rig.rig.open("sftp://127.0.0.1:" + std::to_string(rig.relay.port()) + dir.string());
  const auto listing = list(*source, "", within(std::chrono::minutes(1)));
  fs::remove_all(dir);
  ASSERT_TRUE(listing.ok()) << listing.error().message;
  EXPECT_EQ(listing->entries.size(), 100'000U);
}

TEST(SftpSource, AnIdleConnectionThatTheServerClosedIsNotMissed) {
  SftpRig rig;
  rig.put("f", "12345");
  const auto source = rig.open();
  ASSERT_TRUE(stat(*source, "f").ok());
  for (int i = 0; i < 20; ++i) {
    rig.relay.cut_all();
    EXPECT_TRUE(stat(*source, "f").ok());
  }
}

TEST(SftpSource, AKeyExchangeMidwayIsNotNoticed) {
  testing::SshdOptions options;
  options.extra = "RekeyLimit 1M\n";
  SftpRig rig(options);
  const std::string bytes = noise(24 << 20, 8);
  rig.put("f", bytes);
  const auto source = rig.open();
  const auto outcome = read(*source, "f", {}, 0, kWhole);
  ASSERT_TRUE(outcome.status.ok()) << outcome.status.error().message;
  EXPECT_TRUE(outcome.bytes == bytes);
}

TEST(SftpSource, ARootThatIsGoneProvesNothing) {
  SftpRig rig;
  rig.put("sub/f", "12345");
  model::MountOptions options;
  options.io_retries = 0;
  const auto source = rig.rig.open(rig.url("/sub"), options);
  EXPECT_EQ(code_of(stat(*source, "no")), Code::not_found);
  fs::rename(rig.root() / "sub", rig.root() / "away");
  EXPECT_EQ(code_of(stat(*source, "f")), Code::unreachable);
  EXPECT_EQ(code_of(list(*source, "d")), Code::unreachable);
  EXPECT_EQ(code_of(read(*source, "f", {}, 0, 5).status), Code::unreachable);
  EXPECT_EQ(code_of(list(*source, "")), Code::not_found);
  fs::rename(rig.root() / "away", rig.root() / "sub");
  EXPECT_EQ(read(*source, "f", {}, 0, 5).bytes, "12345");
}

TEST(SftpSource, WhatMayNotBeReadIsDenied) {
  if (::geteuid() == 0) return;  // root may read anything
  SftpRig rig;
  rig.put("f", "12345");
  rig.put("d/g", "12345");
  fs::permissions(rig.root() / "f", fs::perms::none);
  fs::permissions(rig.root() / "d", fs::perms::none);
  const auto source = rig.open();
  EXPECT_TRUE(stat(*source, "f").ok());
  EXPECT_EQ(code_of(read(*source, "f", {}, 0, 5).status), Code::access_denied);
  EXPECT_EQ(code_of(list(*source, "d")), Code::access_denied);
  fs::permissions(rig.root() / "d", fs::perms::owner_all);
}

TEST(SftpSource, AFifoHoldsNobody) {
  SftpRig rig;
  rig.put("f", "12345");
  ASSERT_EQ(::mkfifo((rig.root() / "fifo").c_str(), 0600), 0);
  model::MountOptions options;
  options.io_timeout = std::chrono::seconds(2);
  const auto source = rig.open(options);
  EXPECT_EQ(code_of(read(*source, "fifo", {}, 0, 1).status), Code::not_found);
  const auto listing = list(*source, "");
  ASSERT_TRUE(listing.ok()) << listing.error().message;
  EXPECT_EQ(find(*listing, "fifo"), nullptr);
}

TEST(SftpSource, EndsWithReadsUnderWay) {
  SftpRig rig;
  rig.put("f", noise(16 << 20, 9));
  auto source = rig.open();
  std::vector<std::shared_ptr<CollectingSink>> sinks;
  std::vector<std::shared_ptr<Transfer>> transfers;
  for (int i = 0; i < 8; ++i) {
    sinks.push_back(std::make_shared<CollectingSink>());
    transfers.push_back(source->read({"f", {}, 0, kWhole}, sinks.back(), {}));
  }
  ASSERT_TRUE(sinks[0]->wait_for(1));
  source.reset();
  for (auto& sink : sinks) EXPECT_EQ(sink->wait().done_calls, 1);
}

}  // namespace
}  // namespace lazyvol::source
