// Header fields that tell versions, ranges and dates. Input: one field value per line.
#include <array>
#include <string>

#include "fuzz_target.h"
#include "source/http_date.h"
#include "source/http_version.h"

namespace {

constexpr std::array<const char*, 6> kNames = {
    "etag", "last-modified", "date", "content-range", "content-length", "content-encoding"};

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lazyvol;
  net::HeaderFields fields;
  std::string_view rest = fuzzing::text(data, size);
  std::string last;
  for (const char* name : kNames) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    last = rest.substr(0, end);
    fields.add(name, last);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  const source::HttpVersion version(fields, size, 1'600'000'000);
  const std::string validator = version.validator();
  fuzzing::require(source::size_in_validator(validator) == size, "the validator holds the size");
  fuzzing::require(version.is(validator), "a response is of its own version");
  if (const auto condition = source::condition_for(validator)) {
    for (const char c : condition->second) {
      fuzzing::require(c != '\r' && c != '\n', "no field can be smuggled into a request");
    }
  }
  if (const auto range = source::content_range(fields)) {
    fuzzing::require(range->first <= range->last && range->last < range->total, "ranges are sane");
  }
  source::content_length(fields);
  source::is_identity(fields, last);
  if (const auto time = source::parse_http_date(last)) {
    fuzzing::require(source::parse_http_date(source::format_http_date(*time)) == time,
                     "dates hold");
  }
  source::parse_rfc3339(last);
  return 0;
}
