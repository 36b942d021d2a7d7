// The keys of one s3 mount: found once, kept, replaced before they expire.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/timer.h"
#include "base/workers.h"
#include "lazyvol/error.h"
#include "net/aws_config.h"
#include "net/aws_keys.h"
#include "net/credentials.h"
#include "net/http_engine.h"

namespace lazyvol::net {

struct AwsCredentialsOptions {
  bool anonymous = false;  ///< no request is signed
  std::string profile;     ///< of the option; "" = as the environment says
  AwsEnvironment environment;
  /// Its access-key-id comes before everything else.
  std::shared_ptr<Credentials> file;
};

/// What the keys are looked for with; outlives the object or its close().
struct AwsCredentialsTools {
  HttpEngine& http;
  base::TimerQueue& timer;
  base::Workers& blocking;
};

/// Thread-safe. Keys that expire are replaced in the background from 5 minutes before their end, by
/// a pool thread, while requests go on with those at hand; only with less than 30 s left does a
/// request wait. Files are looked at no more than once a second. After a failure the place is not
/// asked again for 5 s: the error stands for everybody who asks meanwhile.
class AwsCredentials {
 public:
  /// Null means: do not sign.
  using Keys = std::shared_ptr<const AwsKeys>;
  using Done = std::function<void(Result<Keys>)>;

  AwsCredentials(AwsCredentialsOptions options, AwsCredentialsTools tools);
  ~AwsCredentials();
  AwsCredentials(const AwsCredentials&) = delete;
  AwsCredentials& operator=(const AwsCredentials&) = delete;

  /// The keys at hand; nullopt when they have to be waited for. May look at files' dates and start
  /// a replacement; never waits.
  std::optional<Keys> ready();
  /// The same, waiting. `done` comes inline or on a pool thread, once. Errors: as
  /// find_aws_keys(); cancelled after close().
  void get(Done done);
  /// After the service refused `refused`: looks for other keys, unless that happened a moment ago.
  /// Gives `refused` again when there are none.
  void renew(Keys refused, Done done);
  /// Ends what is under way and refuses more; afterwards the tools may go. Idempotent.
  void close();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace lazyvol::net
