// Percent-encoding both ways, and links resolved against a listing.
#include "fuzz_target.h"
#include "model/source_url.h"
#include "source/index_names.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lazyvol;
  const std::string raw(fuzzing::text(data, size));
  const std::string encoded = model::percent_encode_path(raw);
  for (const char c : encoded) fuzzing::require(c > ' ' && c <= '~', "encoded text is ASCII");
  if (raw.find('\0') == std::string::npos) {
    const auto back = model::percent_decode(encoded);
    fuzzing::require(back.ok() && *back == raw, "what was encoded decodes to itself");
  }
  if (const auto decoded = model::percent_decode(raw); decoded.ok()) {
    fuzzing::require(decoded->size() <= raw.size(), "decoding never grows");
  }
  static const auto base = source::IndexBase::parse("http://host:81/a%20dir/b/");
  const source::ResolvedLink link = base->resolve(raw);
  if (link.kind != source::ResolvedLink::Kind::child) return 0;
  fuzzing::require(valid_name(link.name), "a child has a valid name");
  const auto again = base->resolve("./" + model::percent_encode_path(link.name));
  fuzzing::require(again.name == link.name, "a name leads back to itself");
  return 0;
}
