#include "git/lfs_batch.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <nlohmann/json.hpp>

#include "net/http_url.h"
#include "source/http_date.h"
#include "source/paths.h"

namespace lazyvol::git {
namespace {

using nlohmann::json;

/// A member of an object, of that type; nullptr when there is none.
const json* member(const json& object, const char* name, json::value_t type) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() || found->type() != type ? nullptr : &*found;
}

std::optional<std::string> text_of(const json& object, const char* name) {
  const json* value = member(object, name, json::value_t::string);
  return value == nullptr ? std::nullopt : std::optional(value->get<std::string>());
}

std::optional<std::int64_t> number_of(const json& object, const char* name) {
  if (!object.is_object()) return std::nullopt;
  const auto found = object.find(name);
  if (found == object.end() || !found->is_number_integer()) return std::nullopt;
  if (found->is_number_unsigned() &&
      found->get<std::uint64_t>() > std::numeric_limits<std::int64_t>::max()) {
    return std::nullopt;
  }
  return found->get<std::int64_t>();
}

/// Fields that are this program's to say.
bool is_own_field(std::string name) {
  constexpr std::string_view kOwn[] = {"accept-encoding",  "connection", "content-length",
                                       "expect",           "host",       "range",
                                       "transfer-encoding"};
  std::transform(name.begin(), name.end(), name.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return std::find(std::begin(kOwn), std::end(kOwn), name) != std::end(kOwn);
}

bool is_field(const std::string& name, const std::string& value) {
  const auto visible = [](char c) { return c > ' ' && c < '\x7f' && c != ':'; };
  const auto control = [](char c) { return (c >= '\0' && c < ' ' && c != '\t') || c == '\x7f'; };
  return !name.empty() && std::all_of(name.begin(), name.end(), visible) &&
         std::none_of(value.begin(), value.end(), control) &&
         name.size() + value.size() <= kMaxLfsField;
}

Status add_headers(LfsAction& action, const json& object) {
  const json* headers = member(object, "header", json::value_t::object);
  if (headers == nullptr) return {};
  if (headers->size() > kMaxLfsHeaders) {
    return Error{Code::too_large, "the LFS server asks for too many header fields"};
  }
  for (const auto& [name, value] : headers->items()) {
    if (!value.is_string() || !is_field(name, value.get<std::string>())) {
      return hopeless("the LFS server asks for a malformed header field");
    }
    if (!is_own_field(name)) action.headers.emplace_back(name, value.get<std::string>());
  }
  return {};
}

/// The shorter of what both say. A moment far away is none.
void set_validity(LfsAction& action, const json& object, std::int64_t now_s) {
  constexpr std::int64_t kMost = 10LL * 365 * 86'400;
  const auto consider = [&](std::int64_t seconds) {
    if (seconds > kMost) return;
    seconds = std::max<std::int64_t>(seconds, 0);
    action.valid_s = std::min(action.valid_s.value_or(seconds), seconds);
  };
  // Relative times need no clock that agrees with the server's, so they go first. 0: not given.
  const auto in = number_of(object, "expires_in");
  if (in && *in != 0) return consider(*in);
  const auto at = text_of(object, "expires_at");
  const auto moment = at ? source::parse_rfc3339(*at) : std::nullopt;
  if (moment && *moment > 0) consider(*moment - now_s);
}

Result<LfsAction> parse_action(const json& object, bool needs_url,
                               const LfsAnswerContext& context) {
  LfsAction action;
  action.url = text_of(object, "href").value_or("");
  if (action.url.size() > kMaxLfsField) return hopeless("the LFS server gives too long a URL");
  if (!action.url.empty() || needs_url) {
    const auto url = net::parse_http_url(action.url);
    if (!url.ok()) return hopeless("the LFS server gives a URL that cannot be used");
    if (context.tls && !url->origin.tls()) {
      return Error{Code::access_denied, "the LFS server leads from https to http"};
    }
  }
  LAZYVOL_TRY(add_headers(action, object));
  set_validity(action, object, context.now_s);
  return action;
}

Result<LfsAction> parse_object(const json& object, const LfsAnswerContext& context) {
  if (const json* error = member(object, "error", json::value_t::object)) {
    const std::int64_t code = number_of(*error, "code").value_or(0);
    std::string message =
        fmt::format("the LFS server refuses the object: {} ({})",
                    source::printable(text_of(*error, "message").value_or("")), code);
    if (code == 401 || code == 403) return Error{Code::access_denied, std::move(message)};
    if (code == 429 || code >= 500) return Error{Code::io_error, std::move(message)};
    return hopeless(std::move(message));
  }
  const json* actions = member(object, "actions", json::value_t::object);
  if (actions == nullptr) actions = member(object, "_links", json::value_t::object);  // old servers
  const json* download =
      actions == nullptr ? nullptr : member(*actions, "download", json::value_t::object);
  if (download == nullptr) return hopeless("the LFS server does not say where the object is");
  LAZYVOL_TRY_ASSIGN(LfsAction action, parse_action(*download, true, context));
  if (const json* is = member(object, "authenticated", json::value_t::boolean)) {
    action.authenticated = is->get<bool>();
  }
  return action;
}

Result<json> parse_document(std::string_view text) {
  if (text.size() > kMaxLfsAnswer) return hopeless("the answer of the LFS server is too long");
  json document = json::parse(text, nullptr, false);
  if (!document.is_object()) return hopeless("the answer of the LFS server is no JSON object");
  return document;
}

}  // namespace

Error hopeless(std::string message) {
  return Error{Code::io_error, std::move(message), std::chrono::hours(1)};
}

std::string lfs_batch_request(std::span<const LfsPointer> objects) {
  json list = json::array();
  for (const LfsPointer& one : objects) list.push_back({{"oid", one.oid}, {"size", one.size}});
  return json{{"operation", "download"},
              {"transfers", {"basic"}},
              {"hash_algo", "sha256"},
              {"objects", std::move(list)}}
      .dump();
}

Result<LfsAnswers> parse_lfs_batch(std::string_view text, const LfsAnswerContext& context) {
  LAZYVOL_TRY_ASSIGN(const json document, parse_document(text));
  const auto is = [&](const char* name, std::string_view only) {
    const auto found = document.find(name);
    return found == document.end() || found->is_null() || *found == only || *found == "";
  };
  if (!is("transfer", "basic") || !is("hash_algo", "sha256")) {
    return Error{Code::unsupported, "the LFS server insists on another transfer or hash"};
  }
  const json* objects = member(document, "objects", json::value_t::array);
  if (objects == nullptr) return hopeless("the answer of the LFS server names no objects");
  LfsAnswers answers;
  for (const json& object : *objects) {
    const auto oid = text_of(object, "oid");
    if (oid && is_lfs_oid(*oid)) answers.emplace(*oid, parse_object(object, context));
  }
  return answers;
}

Result<LfsAction> parse_lfs_authentication(std::string_view text, const LfsAnswerContext& context) {
  LAZYVOL_TRY_ASSIGN(const json document, parse_document(text));
  return parse_action(document, false, context);
}

std::string lfs_message(std::string_view page) {
  if (page.size() > kMaxLfsAnswer) return {};
  const json document = json::parse(page, nullptr, false);
  return source::printable(text_of(document, "message").value_or(""));
}

}  // namespace lazyvol::git
