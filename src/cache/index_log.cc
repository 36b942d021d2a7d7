#include "cache/index_log.h"

#include <cstdarg>
#include <cstdio>
#include <string>
#include <string_view>

#include "base/log.h"

namespace lazyvol::cache {
namespace {

class IndexLogger final : public rocksdb::Logger {
 public:
  IndexLogger() : Logger(rocksdb::InfoLogLevel::WARN_LEVEL) {}
  using rocksdb::Logger::Logv;

  void Logv(const char* format, va_list args) override {
    Logv(rocksdb::InfoLogLevel::WARN_LEVEL, format, args);
  }

  void Logv(const rocksdb::InfoLogLevel level, const char* format, va_list args) override {
    if (level < GetInfoLogLevel() || level == rocksdb::InfoLogLevel::HEADER_LEVEL) return;
    char line[1024];
    const int length = std::vsnprintf(line, sizeof line, format, args);
    if (length <= 0) return;
    std::string_view text(line, std::min<std::size_t>(length, sizeof line - 1));
    while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
    const auto ours =
        level == rocksdb::InfoLogLevel::WARN_LEVEL ? base::LogLevel::warn : base::LogLevel::error;
    base::log(ours, "cache index: {}", text);
  }
};

}  // namespace

std::shared_ptr<rocksdb::Logger> make_index_logger() {
  return std::make_shared<IndexLogger>();
}

}  // namespace lazyvol::cache
