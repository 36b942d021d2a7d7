// Pages of ListMultipartUploads, and answers that come as errors after a 200.
#include "fuzz_target.h"
#include "publish/s3_uploads_page.h"
#include "source/s3_error.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lazyvol;
  const std::string_view body = fuzzing::text(data, size);
  const auto page = publish::parse_s3_uploads(body);
  fuzzing::require(page.ok() || page.error().code == Code::corrupt, "only corrupt");
  if (page.ok()) {
    for (const auto& one : page->uploads) {
      fuzzing::require(!one.key.empty() && !one.id.empty(), "an upload has a key and an id");
    }
  }
  const Status late = source::read_s3_late_refusal(body, "copying k");
  fuzzing::require(late.ok() || !late.error().message.empty(), "an error has a message");
  return 0;
}
