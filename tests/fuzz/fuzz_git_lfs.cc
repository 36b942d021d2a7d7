// What comes of git-lfs: a pointer that somebody committed, a server's answers, a URL of
// .lfsconfig.
#include <string>
#include <string_view>

#include "fuzz_target.h"
#include "git/lfs_batch.h"
#include "git/lfs_endpoint.h"
#include "git/lfs_pointer.h"
#include "git/object_name.h"

namespace {

using namespace lazyvol;
using namespace lazyvol::git;

void check(const LfsAction& action) {
  fuzzing::require(action.url.empty() || action.url.starts_with("http"), "URLs are of the web");
  fuzzing::require(action.headers.size() <= kMaxLfsHeaders, "few fields");
  for (const auto& [name, value] : action.headers) {
    fuzzing::require(!name.empty() && (name + value).find_first_of("\r\n") == std::string::npos,
                     "a field is one line");
  }
  fuzzing::require(action.valid_s.value_or(0) >= 0, "no time before now");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto pointer = parse_lfs_pointer(text)) {
    fuzzing::require(is_lfs_oid(pointer->oid) && pointer->size <= kMaxLfsSize, "a sane pointer");
    const auto place = parse_lfs_object_name(lfs_object_name(3, *pointer));
    fuzzing::require(place && place->remote == 3 && place->object == *pointer, "names lead back");
  }
  if (const auto place = parse_lfs_object_name(text)) {
    fuzzing::require(lfs_object_name(place->remote, place->object) == text, "one name for each");
  }
  for (const bool tls : {false, true}) {
    const LfsAnswerContext context{tls, 1'700'000'000};
    if (const auto answers = parse_lfs_batch(text, context); answers.ok()) {
      for (const auto& [oid, action] : *answers) {
        fuzzing::require(is_lfs_oid(oid), "answers are of objects");
        if (!action.ok()) continue;
        check(*action);
        fuzzing::require(!tls || action->url.starts_with("https:"), "TLS is kept");
      }
    }
    if (const auto action = parse_lfs_authentication(text, context); action.ok()) check(*action);
  }
  const std::string url(text);
  if (is_allowed_lfs_url("https://h/p.git", url)) {
    fuzzing::require(url.size() > 8, "TLS is kept");
  }
  (void)lfs_message(text);
  return 0;
}
