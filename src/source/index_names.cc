#include "source/index_names.h"

#include <algorithm>
#include <cctype>

#include "model/source_url.h"

namespace lazyvol::source {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n\f";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

// The length of "scheme" in "scheme:…", or 0. A colon after the first '/' belongs to a path.
std::size_t scheme_length(std::string_view text) {
  if (text.empty() || std::isalpha(static_cast<unsigned char>(text[0])) == 0) return 0;
  for (std::size_t i = 1; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c == ':') return i;
    if (std::isalnum(c) == 0 && c != '+' && c != '-' && c != '.') return 0;
  }
  return 0;
}

// Cuts the first component off `path`; `more` says whether a '/' followed it.
std::string_view next_component(std::string_view& path, bool& more) {
  const std::size_t slash = path.find('/');
  more = slash != std::string_view::npos;
  const std::string_view component = path.substr(0, slash);
  path.remove_prefix(more ? slash + 1 : path.size());
  return component;
}

ResolvedLink direct_child(std::string_view rest) {
  ResolvedLink link;
  bool more = false;
  const std::string_view component = next_component(rest, more);
  if (component.empty() || component == "." || component == ".." || !rest.empty()) return link;
  link.kind = ResolvedLink::Kind::refused;
  auto name = model::percent_decode(component);
  if (!name.ok() || !valid_name(*name)) return link;
  link.kind = ResolvedLink::Kind::child;
  link.name = *std::move(name);
  link.directory = more;
  return link;
}

}  // namespace

Result<IndexBase> IndexBase::parse(std::string_view url) {
  const Error bad{Code::invalid_argument, "not the URL of a directory"};
  IndexBase base;
  const std::size_t scheme = scheme_length(url);
  if (scheme == 0 || url.substr(scheme, 3) != "://") return bad;
  base.scheme_ = lower(url.substr(0, scheme));
  url.remove_prefix(scheme + 3);
  url = url.substr(0, url.find_first_of("?#"));
  const std::size_t slash = url.find('/');
  if (slash == std::string_view::npos || url.back() != '/') return bad;
  base.authority_ = lower(url.substr(0, slash));
  url.remove_prefix(slash + 1);
  for (bool more = true; !url.empty();) {
    auto component = model::percent_decode(next_component(url, more));
    if (!component.ok()) return bad;
    base.components_.push_back(*std::move(component));
  }
  return base;
}

ResolvedLink IndexBase::resolve(std::string_view href) const {
  href = trim(href);
  if (href.empty() || href.find_first_of("?#") != std::string_view::npos) return {};
  if (const std::size_t scheme = scheme_length(href); scheme > 0) {
    if (lower(href.substr(0, scheme)) != scheme_) return {};
    href.remove_prefix(scheme + 1);
    if (!href.starts_with("//")) return {};
  }
  if (href.starts_with("//")) {
    href.remove_prefix(2);
    const std::size_t slash = href.find('/');
    if (slash == std::string_view::npos || lower(href.substr(0, slash)) != authority_) return {};
    href.remove_prefix(slash);
  }
  bool more = true;
  if (href.front() == '/') {
    href.remove_prefix(1);
    for (const std::string& component : components_) {
      const auto decoded = model::percent_decode(next_component(href, more));
      if (!more || !decoded.ok() || *decoded != component) return {};
    }
  } else {
    while (href.starts_with("./")) href.remove_prefix(2);
  }
  return direct_child(href);
}

bool EntryCollector::add(RemoteEntry entry) {
  if (!valid_name(entry.name)) {
    refuse();
    return true;
  }
  if (!entries_.empty() && entries_.back().name == entry.name &&
      entries_.back().type == entry.type) {
    if (entries_.back().token.empty()) entries_.back().token = std::move(entry.token);
    return true;
  }
  if (entries_.size() >= kMaxIndexEntries) return false;
  entries_.push_back(std::move(entry));
  return true;
}

Listing EntryCollector::finish() && {
  const auto by_name = [](const RemoteEntry& a, const RemoteEntry& b) { return a.name < b.name; };
  const auto same_name = [](const RemoteEntry& a, const RemoteEntry& b) {
    return a.name == b.name;
  };
  std::stable_sort(entries_.begin(), entries_.end(), by_name);
  entries_.erase(std::unique(entries_.begin(), entries_.end(), same_name), entries_.end());
  Listing listing;
  listing.entries = std::move(entries_);
  listing.refused = refused_;
  return listing;
}

}  // namespace lazyvol::source
