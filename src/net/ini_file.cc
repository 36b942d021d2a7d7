#include "net/ini_file.h"

#include <fmt/core.h>

namespace lazyvol::net {
namespace {

constexpr std::string_view kSpace = " \t\r\f\v";

std::string_view trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

std::string_view without_comment(std::string_view text) {
  for (std::size_t i = 1; i < text.size(); ++i) {
    const bool mark = text[i] == '#' || text[i] == ';';
    if (mark && kSpace.find(text[i - 1]) != std::string_view::npos) return text.substr(0, i);
  }
  return text;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::string single_spaces(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool space = kSpace.find(c) != std::string_view::npos;
    if (!space || (!out.empty() && out.back() != ' ')) out.push_back(space ? ' ' : c);
  }
  if (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

}  // namespace

Result<IniFile> parse_ini(std::string_view text) {
  if (text.size() > kMaxIniBytes) {
    return Error{Code::too_large, fmt::format("longer than {} KiB", kMaxIniBytes / 1024)};
  }
  IniFile file;
  std::map<std::string, std::string>* section = nullptr;
  bool in_value = false;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::string_view body = trim(line);
    if (body.empty() || body.front() == '#' || body.front() == ';') continue;
    const auto bad = [number](std::string_view why) {
      return Error{Code::invalid_argument, fmt::format("line {}: {}", number, why)};
    };
    if (in_value && kSpace.find(line.front()) != std::string_view::npos) continue;
    if (body.front() == '[') {
      const std::size_t close = body.find(']');
      if (close == std::string_view::npos) return bad("'[' without ']'");
      section = &file[single_spaces(body.substr(1, close - 1))];
      in_value = false;
      continue;
    }
    const std::size_t equals = body.find('=');
    const std::string_view key = trim(body.substr(0, equals));
    if (equals == std::string_view::npos || key.empty())
      return bad("neither [section] nor key = value");
    if (section == nullptr) return bad("a value before the first [section]");
    (*section)[lower(key)] = trim(without_comment(body.substr(equals)).substr(1));
    in_value = true;
  }
  return file;
}

}  // namespace lazyvol::net
