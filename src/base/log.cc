#include "base/log.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace lazyvol::base {
namespace {

spdlog::level::level_enum level_of(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warn:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

void install(spdlog::sink_ptr sink, LogLevel least) {
  auto logger = std::make_shared<spdlog::logger>("lazyvol", std::move(sink));
  logger->set_level(level_of(least));
  logger->flush_on(spdlog::level::info);
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l [%t] %v");
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace

void log_to_stderr(LogLevel least) {
  install(std::make_shared<spdlog::sinks::stderr_sink_mt>(), least);
}

void log_to_file(const char* path, LogLevel least) {
  install(std::make_shared<spdlog::sinks::basic_file_sink_mt>(path), least);
}

bool log_enabled(LogLevel level) noexcept {
  auto* logger = spdlog::default_logger_raw();
  return logger != nullptr && logger->should_log(level_of(level));
}

void log_line(LogLevel level, std::string_view line) noexcept {
  try {
    if (auto* logger = spdlog::default_logger_raw()) {
      logger->log(level_of(level), spdlog::string_view_t(line.data(), line.size()));
    }
  } catch (...) {  // logging never harms the caller
  }
}

}  // namespace lazyvol::base
