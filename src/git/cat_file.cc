#include "git/cat_file.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "git/object_id.h"

namespace lazyvol::git {
namespace {

constexpr std::size_t kLongestHeader = 256;
constexpr std::size_t kPiece = 256 * 1024;
// The disk's patience, not the network's.
constexpr std::chrono::seconds kPatience(120);

}  // namespace

Result<std::optional<ObjectHeader>> parse_object_header(std::string_view line) {
  const auto damaged = [] {
    return Error{Code::corrupt, "git described an object in a form that is not known"};
  };
  const auto first = line.find(' ');
  if (first == std::string_view::npos || !is_object_id(line.substr(0, first))) return damaged();
  const std::string_view rest = line.substr(first + 1);
  if (rest == "missing") return std::optional<ObjectHeader>();
  const auto second = rest.find(' ');
  if (second == std::string_view::npos) return damaged();
  ObjectHeader header{std::string(line.substr(0, first)), std::string(rest.substr(0, second)), 0};
  const std::string_view number = rest.substr(second + 1);
  const char* end = number.data() + number.size();
  const auto [stop, error] = std::from_chars(number.data(), end, header.size);
  if (error != std::errc() || stop != end || header.size > INT64_MAX) return damaged();
  return std::optional(std::move(header));
}

Result<std::unique_ptr<CatFile>> CatFile::start(const Command& command, std::stop_token stop) {
  LAZYVOL_TRY_ASSIGN(auto process, Process::start(command, {kPatience, std::move(stop), {}}));
  return std::unique_ptr<CatFile>(new CatFile(std::move(process)));
}

Result<std::optional<ObjectHeader>> CatFile::header() {
  LAZYVOL_TRY_ASSIGN(const std::string line, process_->receive_line('\n', kLongestHeader));
  LAZYVOL_TRY_ASSIGN(auto header, parse_object_header(line));
  if (header && header->type != "blob") {
    return Error{Code::corrupt, "the object " + header->id + " is no blob"};
  }
  return header;
}

Result<std::vector<std::optional<std::uint64_t>>> CatFile::sizes(std::span<const std::string> ids) {
  std::string asked;
  for (const std::string& id : ids) asked += "info " + id + "\n";
  process_->send(asked);
  std::vector<std::optional<std::uint64_t>> out;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    LAZYVOL_TRY_ASSIGN(const auto one, header());
    out.push_back(one ? std::optional(one->size) : std::nullopt);
  }
  return out;
}

Status CatFile::read(const std::string& id, const std::function<Status(std::string_view)>& take) {
  process_->send("contents " + id + "\n");
  LAZYVOL_TRY_ASSIGN(const auto found, header());
  if (!found) return Error{Code::not_found, "the blob " + id + " is not here"};
  std::uint64_t left = found->size;
  std::string piece(static_cast<std::size_t>(std::min<std::uint64_t>(left, kPiece)), '\0');
  while (left > 0) {
    const auto room = static_cast<std::size_t>(std::min<std::uint64_t>(left, piece.size()));
    LAZYVOL_TRY_ASSIGN(const std::size_t got, process_->receive({piece.data(), room}));
    if (got == 0) return Error{Code::io_error, "git ended in the middle of a blob"};
    LAZYVOL_TRY(take(std::string_view(piece.data(), got)));
    left -= got;
  }
  LAZYVOL_TRY_ASSIGN(const std::string end, process_->receive_exactly(1));
  return end == "\n" ? Status() : Status(Error{Code::corrupt, "git sent more than a blob"});
}

}  // namespace lazyvol::git
