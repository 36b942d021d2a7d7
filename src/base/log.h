// One line to the log. The backend (spdlog) is chosen in log.cc; nothing else includes it.
// Never log credentials, nor URLs with user information or query strings (see net/redact.h).
#pragma once

#include <fmt/core.h>

#include <string_view>

namespace lazyvol::base {

enum class LogLevel { debug, info, warn, error };

/// Sends later lines to stderr (the default) or appends them to `path`, and sets the least level.
/// Thread-safe; meant for main().
void log_to_stderr(LogLevel least);
void log_to_file(const char* path, LogLevel least);

/// Writes one line. Thread-safe; never throws; drops the line if it cannot be written.
void log_line(LogLevel level, std::string_view line) noexcept;
bool log_enabled(LogLevel level) noexcept;

template <class... Args>
void log(LogLevel level, fmt::format_string<Args...> format, Args&&... args) noexcept {
  if (!log_enabled(level)) return;
  try {
    log_line(level, fmt::format(format, std::forward<Args>(args)...));
  } catch (...) {  // out of memory while formatting: the line is lost, the caller is not
  }
}

template <class... Args>
void log_debug(fmt::format_string<Args...> f, Args&&... args) noexcept {
  log(LogLevel::debug, f, std::forward<Args>(args)...);
}
template <class... Args>
void log_info(fmt::format_string<Args...> f, Args&&... args) noexcept {
  log(LogLevel::info, f, std::forward<Args>(args)...);
}
template <class... Args>
void log_warn(fmt::format_string<Args...> f, Args&&... args) noexcept {
  log(LogLevel::warn, f, std::forward<Args>(args)...);
}
template <class... Args>
void log_error(fmt::format_string<Args...> f, Args&&... args) noexcept {
  log(LogLevel::error, f, std::forward<Args>(args)...);
}

}  // namespace lazyvol::base
