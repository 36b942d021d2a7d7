#include "net/header_parser.h"

#include <algorithm>

namespace lazyvol::net {
namespace {

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::string_view without_line_end(std::string_view line) {
  if (line.ends_with('\n')) line.remove_suffix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

}  // namespace

void HeaderFields::add(std::string name_lower, std::string value) {
  fields_.emplace_back(std::move(name_lower), std::move(value));
}

const std::string* HeaderFields::find(std::string_view name_lower) const {
  const auto it = std::find_if(fields_.begin(), fields_.end(),
                               [&](const auto& field) { return field.first == name_lower; });
  return it == fields_.end() ? nullptr : &it->second;
}

HeaderParser::Event HeaderParser::feed(std::string_view line) {
  if (complete_) return Event::more;
  bytes_ += line.size();
  if (bytes_ > kMaxHeaderBytes) return Event::too_large;
  line = without_line_end(line);
  if (line.starts_with("HTTP/")) return start_head(line) ? Event::more : Event::malformed;
  if (!started_) return Event::malformed;
  if (line.empty()) return end_of_head();
  if (line.front() == ' ' || line.front() == '\t') {
    (value_ += ' ') += trim(line);
    return Event::more;
  }
  add_field(line);
  return Event::more;
}

bool HeaderParser::start_head(std::string_view status_line) {
  const auto space = status_line.find(' ');
  if (space == std::string_view::npos) return false;
  const std::string_view digits = status_line.substr(space + 1, 3);
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (digits.size() != 3 || !std::all_of(digits.begin(), digits.end(), is_digit)) return false;
  head_ = HttpHead{};
  name_.clear();
  value_.clear();
  head_.status = (digits[0] - '0') * 100 + (digits[1] - '0') * 10 + (digits[2] - '0');
  started_ = true;
  return true;
}

void HeaderParser::add_field(std::string_view line) {
  if (!name_.empty()) head_.headers.add(std::move(name_), std::move(value_));
  name_.clear();
  value_.clear();
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) return;  // not a field: ignored, as curl does
  name_ = trim(line.substr(0, colon));
  for (char& c : name_) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  value_ = trim(line.substr(colon + 1));
}

HeaderParser::Event HeaderParser::end_of_head() {
  if (!name_.empty()) head_.headers.add(std::move(name_), std::move(value_));
  name_.clear();
  started_ = false;
  if (head_.status < 200) return Event::more;
  complete_ = true;
  return Event::complete;
}

}  // namespace lazyvol::net
