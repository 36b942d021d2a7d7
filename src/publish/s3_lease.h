// A lock in a bucket: an object that says who holds it, and until when.
//
// It is held while it is renewed. Who finds that it was not for longer than the lease takes it
// over, so that a holder who died is waited for no longer than that. Taking, renewing and releasing
// are conditional writes of the one object: of several who try, one succeeds. Ages are by the
// service's clock (Date against Last-Modified); the holder counts by its own, from before each
// renewal.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/locked.h"
#include "lazyvol/error.h"
#include "publish/s3_objects.h"
#include "publish/store.h"

namespace lazyvol::publish {

/// Held for as long as it lives. Thread-safe. Has a thread, "lv-lease".
class S3Lease final : public StoreLock {
 public:
  /// Errors: busy (somebody else holds it); those of the requests.
  static Result<std::unique_ptr<S3Lease>> take(const S3Objects& objects, const std::string& key,
                                               std::chrono::seconds lease);
  ~S3Lease() override;

  /// That the lock is held, and will be for a third of the lease whatever happens: long enough for
  /// one request. False for good once it was lost.
  bool holds() const;

 private:
  struct State {
    std::string etag;  ///< of the object as we wrote it last
    base::Monotonic until;
    bool ending = false;
  };
  S3Lease(const S3Objects& objects, std::string key, std::chrono::seconds lease, State state);
  void renew();

  const S3Objects objects_;  // for requests that are soon over
  const std::string key_;
  const std::chrono::seconds lease_;
  base::Locked<State> state_;
  std::condition_variable ending_;
  std::thread renewer_;
};

/// Waits, up to `patience`, until nobody holds the lock. True if somebody did. Errors: busy (still
/// held), those of the requests.
Result<bool> await_lease(const S3Objects& objects, const std::string& key,
                         std::chrono::seconds lease, std::chrono::milliseconds patience);

}  // namespace lazyvol::publish
