// Error documents of S3 and answers of STS. Input: the status (its last two digits), then the body.
#include "fuzz_target.h"
#include "net/aws_providers.h"
#include "net/xml_reader.h"
#include "source/s3_error.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lazyvol;
  const std::string_view body = fuzzing::text(data, size);
  net::HttpHead head;
  head.status = body.empty() ? 400 : 300 + static_cast<unsigned char>(body[0]);
  const auto refusal = source::read_s3_refusal(head, body.substr(body.empty() ? 0 : 1),
                                               "GET http://h/b/k", 1'795'000'000);
  fuzzing::require(!refusal.error.message.empty(), "an error has a message");
  for (const char c : refusal.error.message) {
    fuzzing::require(c >= ' ' && c <= '~', "one printable line");
  }
  for (const char c : refusal.region) fuzzing::require(c != '/' && c != '.', "a region is a word");
  const auto texts = net::xml_texts(body);
  fuzzing::require(texts.ok() || texts.error().code == Code::corrupt, "only corrupt");
  const auto keys = net::parse_sts_keys(std::string(body));
  fuzzing::require(!keys.ok() || !keys->access_key_id.empty(), "keys are whole");
  const auto json = net::parse_json_keys(std::string(body));
  fuzzing::require(!json.ok() || !json->secret_access_key.empty(), "keys are whole");
  return 0;
}
