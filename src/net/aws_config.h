// Where AWS tools keep their settings: the environment, ~/.aws/config and ~/.aws/credentials.
//
// Source of the rules: AWS SDKs and Tools Reference Guide, "Configuration"
// (https://docs.aws.amazon.com/sdkref/latest/guide/creds-config-files.html).
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "lazyvol/error.h"
#include "net/ini_file.h"
#include "net/secret_file.h"

namespace lazyvol::net {

/// The environment as a seam, so that tests need not change the process's own.
struct AwsEnvironment {
  /// A variable that is set and not empty. Thread-safe.
  std::function<std::optional<std::string>(const std::string& name)> variable;
  std::string home;

  /// Of the process as it was started: for a daemon, of whoever started it.
  static AwsEnvironment of_process();
};

/// One profile: the values of both files, those of the credentials file first.
struct AwsProfile {
  std::map<std::string, std::string> values;
  /// nullptr when it is not set, or empty.
  const std::string* find(const std::string& key) const;
};

/// The settings as they lie on disk at one moment. Immutable, plain value.
class AwsConfig {
 public:
  /// Reads both files ($AWS_CONFIG_FILE, $AWS_SHARED_CREDENTIALS_FILE, or below ~/.aws); one that
  /// does not exist is empty. `profile` is the one asked for by option; "" = $AWS_PROFILE, else
  /// "default". Errors: invalid_argument (path and line; or the profile that was asked for does
  /// not exist), access_denied, too_large.
  static Result<AwsConfig> load(const AwsEnvironment& environment, const std::string& profile);

  const std::string& profile_name() const { return name_; }
  /// True when it was named by option or variable.
  bool profile_is_chosen() const { return chosen_; }
  /// An existing profile; nullopt for others.
  std::optional<AwsProfile> profile(const std::string& name) const;
  /// $AWS_REGION, $AWS_DEFAULT_REGION or the profile's; "" when none says.
  const std::string& region() const { return region_; }

  /// Changes when one of the files does. Thread-safe.
  static std::vector<std::optional<FileStamp>> stamps(const AwsEnvironment& environment);

 private:
  std::string name_, region_;
  bool chosen_ = false;
  IniFile config_, credentials_;
};

}  // namespace lazyvol::net
