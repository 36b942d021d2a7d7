// Header lines of one HTTP exchange → the head of its final response.
//
// Source of the format: RFC 9112 section 5 (fields, obsolete line folding), as libcurl hands the
// lines to its header callback (HTTP/2 heads look the same, with "HTTP/2 200").
#pragma once

#include <cstddef>
#include <string_view>

#include "net/http_engine.h"

namespace lazyvol::net {

inline constexpr std::size_t kMaxHeaderBytes = 256 * 1024;

/// Collects lines until a head is complete; interim responses (1xx) are dropped and the next head
/// is awaited; what comes after a complete final head (trailers) is ignored. One per exchange; not
/// thread-safe. The bytes are untrusted and bounded.
class HeaderParser {
 public:
  enum class Event {
    more,       ///< go on
    complete,   ///< head() is now the final one; reported once
    malformed,  ///< no status line first
    too_large,  ///< more than kMaxHeaderBytes in all heads together
  };

  /// `line` with or without its line end; an empty one ends a head.
  Event feed(std::string_view line);
  HttpHead& head() { return head_; }
  bool complete() const { return complete_; }

 private:
  Event end_of_head();
  bool start_head(std::string_view status_line);
  void add_field(std::string_view line);

  HttpHead head_;
  std::string name_, value_;  ///< the field that a folded line may continue
  std::size_t bytes_ = 0;
  bool started_ = false;
  bool complete_ = false;
};

}  // namespace lazyvol::net
