// A store in a bucket of S3, or of a service that speaks its protocol. docs/sources/s3.md.
//
// Objects are uploaded when they are committed, whole or not at all; until then they are in memory,
// because the key of an upload has to be known when it begins, and a pack's name is its hash.
// Documents are replaced by conditional writes. The lock is an object (s3_lease.h). What is old is
// removed under the lock only, and a writer who finds an object that is there already looks for a
// lock after making it young: so either the remover sees it young, or the writer sees the lock,
// waits for its end and looks whether the object is still there.
#pragma once

#include <chrono>
#include <memory>
#include <stop_token>

#include "lazyvol/error.h"
#include "model/options.h"
#include "model/source_url.h"
#include "publish/store.h"
#include "source/s3_site.h"

namespace lazyvol::publish {

struct S3StoreTuning {
  std::stop_token stop{};  ///< ends what waits for the service, with cancelled
  source::S3Tuning s3{};
  std::chrono::seconds lease{60};             ///< after which a lock that is not renewed is free
  std::chrono::seconds stray_age{24 * 3600};  ///< of uploads that nobody will end any more
  std::chrono::milliseconds lock_patience{300'000};  ///< of replace() with the lock of another
};

/// An object of more bytes is refused with too_large: it would be in memory. Packs have a third.
inline constexpr std::uint64_t kMaxS3Object = 256U << 20;

/// The store at `url`, whose scheme is s3. Looks whether the bucket can be listed and written to,
/// and whether conditions are honoured (if not, that is logged); aborts uploads that a killed
/// publisher left. A lock must end before its store. Thread rule: as Store. Errors: as
/// S3Site::make(); not_found (no such bucket), access_denied, unreachable, ….
Result<std::unique_ptr<Store>> make_s3_store(const model::SourceUrl& url,
                                             const model::MountOptions& options,
                                             S3StoreTuning tuning = {});

/// As make_s3_store(), for readers and for removing: nothing is written until it is asked for.
Result<std::unique_ptr<Store>> open_s3_store(const model::SourceUrl& url,
                                             const model::MountOptions& options,
                                             S3StoreTuning tuning = {});

}  // namespace lazyvol::publish
