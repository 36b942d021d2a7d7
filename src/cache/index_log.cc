#include "cache/index_log.h"

#include <algorithm>
#include <chrono>
#include <cstdarg>
#include <cstdio>
#include <map>
#include <string>

#include "base/clock.h"
#include "base/locked.h"
#include "base/log.h"

namespace lazyvol::cache {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMaxLine = 400;

// One message of RocksDB as one line: some dump whole structures.
std::string one_line(const char* format, va_list args) {
  char text[1024];
  const int length = std::vsnprintf(text, sizeof text, format, args);
  if (length <= 0) return {};
  std::string line(text, std::min<std::size_t>(length, kMaxLine));
  std::replace(line.begin(), line.end(), '\n', ' ');
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

class IndexLogger final : public rocksdb::Logger {
 public:
  IndexLogger() : Logger(rocksdb::InfoLogLevel::WARN_LEVEL) {}
  using rocksdb::Logger::Logv;

  void Logv(const char* format, va_list args) override {
    Logv(rocksdb::InfoLogLevel::WARN_LEVEL, format, args);
  }

  void Logv(const rocksdb::InfoLogLevel level, const char* format, va_list args) override {
    if (level < GetInfoLogLevel() || level == rocksdb::InfoLogLevel::HEADER_LEVEL) return;
    if (!is_due(format)) return;
    const auto ours =
        level == rocksdb::InfoLogLevel::WARN_LEVEL ? base::LogLevel::warn : base::LogLevel::error;
    base::log(ours, "cache index: {}", one_line(format, args));
  }

 private:
  // A failing disk would repeat itself many times a second: each message at most once a minute.
  // What tells messages apart is their format, a literal in RocksDB.
  bool is_due(const char* format) {
    const auto now = base::system_clock().now();
    const auto last = last_.lock();
    const auto [at, is_new] = last->try_emplace(format, now);
    if (!is_new && now - at->second < 1min) return false;
    at->second = now;
    return true;
  }

  base::Locked<std::map<const void*, base::Monotonic>> last_;
};

}  // namespace

std::shared_ptr<rocksdb::Logger> make_index_logger() {
  return std::make_shared<IndexLogger>();
}

}  // namespace lazyvol::cache
