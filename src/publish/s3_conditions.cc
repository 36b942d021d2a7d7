#include "publish/s3_conditions.h"

namespace lazyvol::publish {
namespace {

constexpr std::string_view kText =
    "lazyvol looks here whether conditional writes are honoured; it holds nothing\n";
// No object has this tag: it is the MD5 of nothing that anybody knows.
constexpr const char* kNobodysTag = "\"00000000000000000000000000000000\"";

/// True: refused, as it should be. False: written all the same.
Result<bool> refuses(const S3Objects& objects, const std::string& key,
                     const S3Condition& condition) {
  const auto written = objects.put_if(key, kText, "no-store", condition);
  if (written.ok() || written.error().code == Code::unsupported) return false;
  if (written.error().code == Code::busy) return true;
  return written.error();
}

}  // namespace

Result<bool> honours_conditions(const S3Objects& objects, const std::string& key) {
  LAZYVOL_TRY_ASSIGN(bool there, refuses(objects, key, {}));
  if (!there) {  // the first one made it
    LAZYVOL_TRY_ASSIGN(there, refuses(objects, key, {}));
  }
  if (!there) return false;
  return refuses(objects, key, {kNobodysTag});
}

}  // namespace lazyvol::publish
