#include "git/submodules.h"

#include <algorithm>
#include <utility>

#include "model/source_url.h"

namespace lazyvol::git {
namespace {

struct Place {
  std::string path, url;
};

bool is_relative(std::string_view url) {
  return url.starts_with("./") || url.starts_with("../");
}

Result<std::string> resolve(std::string parent, std::string_view url) {
  while (parent.ends_with('/')) parent.pop_back();
  while (is_relative(url)) {
    if (url.starts_with("./")) {
      url.remove_prefix(2);
      continue;
    }
    url.remove_prefix(3);
    const auto scheme = parent.find("://");
    const auto slash = parent.rfind('/');
    if (slash == std::string::npos || (scheme != std::string::npos && slash < scheme + 3)) {
      return Error{Code::invalid_argument, "its URL leads out of its host"};
    }
    parent.resize(slash);
  }
  return parent + "/" + std::string(url);
}

/// Two colons are a remote helper's ("ext::command").
bool is_scp(std::string_view url) {
  const auto colon = url.find(':');
  if (colon != std::string_view::npos && url.substr(colon).starts_with("::")) return false;
  return colon != std::string_view::npos && colon > 0 && url.find('/') > colon &&
         url.find("://") == std::string_view::npos;
}

}  // namespace

std::map<std::string, std::string> parse_gitmodules(std::string_view output) {
  constexpr std::string_view kSection = "submodule.";
  std::map<std::string, Place> places;  // by name
  while (!output.empty()) {
    const auto end = std::min(output.find('\0'), output.size());
    const std::string_view row = output.substr(0, end);
    output.remove_prefix(std::min(end + 1, output.size()));
    const auto line = row.find('\n');
    const std::string_view key = row.substr(0, line);
    const auto dot = key.rfind('.');
    if (line == std::string_view::npos || !key.starts_with(kSection) || dot < kSection.size()) {
      continue;
    }
    if (places.size() > kMaxSubmodules) break;
    Place& place = places[std::string(key.substr(kSection.size(), dot - kSection.size()))];
    const std::string_view name = key.substr(dot + 1), value = row.substr(line + 1);
    if (name == "path") place.path = value;
    if (name == "url") place.url = value;
  }
  std::map<std::string, std::string> out;
  for (auto& [name, place] : places) {
    while (place.path.ends_with('/')) place.path.pop_back();
    if (!place.path.empty() && !place.url.empty()) out.emplace(place.path, place.url);
  }
  return out;
}

Result<std::string> submodule_url(const std::string& parent, const std::string& url) {
  std::string full = url;
  if (is_relative(full)) {
    LAZYVOL_TRY_ASSIGN(full, resolve(parent, full));
  }
  if (full.starts_with('/')) full.insert(0, "file://");
  // Such a path is relative to the home directory, which no URL says in a way that all servers
  // know.
  const auto colon = full.find(':');
  const std::string checked =
      is_scp(full) ? "ssh://" + full.substr(0, colon) + "/" + full.substr(colon + 1) : full;
  const auto parsed = model::parse_source_url("git+" + checked);
  if (!parsed.ok()) {
    return Error{Code::invalid_argument, "its URL is not one of https, http or ssh"};
  }
  if (parsed->scheme == "git+file" && !parent.starts_with("file://")) {
    return Error{Code::invalid_argument, "its URL is a path of this machine"};
  }
  return is_scp(full) ? full : parsed->canonical().substr(std::string_view("git+").size());
}

}  // namespace lazyvol::git
