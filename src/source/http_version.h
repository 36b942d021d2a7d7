// Which version of a file an HTTP response is about: the rule for validators of http sources.
//
// Source: RFC 9110, sections 8.8 (validators) and 13.1 (conditional requests). Reasons and the
// cases considered: docs/decisions/0010-http-validators.md.
//
// A validator is made from the fields of one response alone, so that list(), stat() and read()
// agree, also across restarts, without remembering anything:
//   e:<size>-<etag>     a strong ETag that says more than Last-Modified and the length do
//   m:<mtime s>-<size>  else, when there is a Last-Modified: what exact indexes (nginx and Caddy
//   json)
//                       show as well, so that a listed file is read without a HEAD first. The ETags
//                       of nginx and Caddy are computed from just these two, hence say nothing
//                       more.
//   w:<size>-<etag>     else, when there is a weak ETag
//   n:<size>-<random>   else: nothing identifies the bytes, so no two stat() calls share any
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "net/http_engine.h"

namespace lazyvol::source {

/// What one response says of the file's version. Immutable.
class HttpVersion {
 public:
  /// `size` is of the whole object. `local_now_s` stands in for a missing Date.
  HttpVersion(const net::HeaderFields& fields, std::uint64_t size, std::int64_t local_now_s);

  /// By the rule above; never empty. An "n:" one is new at each call.
  std::string validator() const;
  /// True when the response may be of the version `wanted`: when it says nothing to the contrary in
  /// the form that `wanted` has. (A weak ETag turns strong as Apache's do in their first second,
  /// which changes the form.)
  bool is(std::string_view wanted) const;

  std::uint64_t size() const { return size_; }
  std::optional<std::int64_t> mtime_s() const { return mtime_s_; }
  /// True when the validator has the form that exact listings use.
  bool same_form_as_listing() const { return has_mtime_form_; }
  /// False while a change could hide: for 61 s after Last-Modified (indexes show minutes), and
  /// always without one. (git's "racily clean" rule.)
  bool settled() const { return settled_; }

 private:
  std::uint64_t size_;
  std::optional<std::int64_t> mtime_s_;
  std::string etag_;  // what stands between the quotes; empty = none
  bool weak_ = false;
  bool has_mtime_form_ = false;
  bool settled_ = false;
};

/// The size in a validator of this rule; nullopt for any other string.
std::optional<std::uint64_t> size_in_validator(std::string_view validator);

/// The request field that asks the server itself for this version (If-Match, If-Unmodified-Since);
/// nullopt when it cannot be asked. A weak ETag is never sent: If-Match compares strongly.
std::optional<std::pair<std::string, std::string>> condition_for(std::string_view validator);

/// The server's clock when it answered, in Unix seconds; `local_now_s` without a Date field.
std::int64_t response_date(const net::HeaderFields& fields, std::int64_t local_now_s);

/// A Content-Length; nullopt when absent or malformed.
std::optional<std::uint64_t> content_length(const net::HeaderFields& fields);

/// "bytes FIRST-LAST/TOTAL"; nullopt for anything else, an unknown total included.
struct ContentRange {
  std::uint64_t first = 0, last = 0, total = 0;
};
std::optional<ContentRange> content_range(const net::HeaderFields& fields);

/// True when the body's bytes are the file's: no Content-Encoding but identity, or one that merely
/// describes what kind of file `name` is (Apache's AddEncoding: gzip for "x.tar.gz"), since nothing
/// but identity was asked for.
bool is_identity(const net::HeaderFields& fields, std::string_view name);

}  // namespace lazyvol::source
