#include "net/aws_chain.h"

#include <fmt/core.h>

#include "net/aws_providers.h"

namespace lazyvol::net {
namespace {

constexpr int kMaxRoles = 5;  // of a chain of source_profile

class Chain {
 public:
  Chain(const AwsEnvironment& environment, const AwsConfig& config, WaitingHttp& http)
      : environment_(environment), config_(config), http_(http) {}

  Result<AwsKeys> find(bool by_option) {
    if (!by_option) {
      if (const auto keys = of_environment()) return *keys;
      const auto token = variable("AWS_WEB_IDENTITY_TOKEN_FILE");
      const auto arn = variable("AWS_ROLE_ARN");
      if (token && arn) {
        return assume_role_with_web_identity(
            role_for(*arn, variable("AWS_ROLE_SESSION_NAME").value_or("lazyvol")), *token, http_);
      }
    }
    const std::string& name = config_.profile_name();
    if (const auto profile = config_.profile(name)) {
      auto keys = of_profile(*profile, name, 0);
      const bool nothing = !keys.ok() && keys.error().code == Code::not_found;
      if (!nothing) return in_profile(std::move(keys), name);
      if (config_.profile_is_chosen()) {
        return Error{Code::access_denied, fmt::format("the AWS profile '{}' gives no keys", name)};
      }
    }
    if (variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") ||
        variable("AWS_CONTAINER_CREDENTIALS_FULL_URI")) {
      return keys_of_container(environment_, http_);
    }
    return of_instance();
  }

 private:
  std::optional<std::string> variable(const char* name) const {
    return environment_.variable(name);
  }

  static Result<AwsKeys> in_profile(Result<AwsKeys> keys, const std::string& name) {
    if (keys.ok()) return keys;
    return keys.error().in(fmt::format("AWS profile '{}'", name));
  }

  std::optional<AwsKeys> of_environment() const {
    const auto id = variable("AWS_ACCESS_KEY_ID"), secret = variable("AWS_SECRET_ACCESS_KEY");
    if (!id || !secret) return std::nullopt;
    return AwsKeys{*id, *secret, variable("AWS_SESSION_TOKEN").value_or(""), {}};
  }

  Result<AwsKeys> of_instance() {
    const auto off = variable("AWS_EC2_METADATA_DISABLED");
    if (!off || (*off != "true" && *off != "TRUE" && *off != "True")) {
      auto keys = keys_of_instance(environment_, http_);
      if (keys.ok() || keys.error().code != Code::not_found) return keys;
    }
    return Error{Code::access_denied,
                 "no AWS keys found (option credentials names a file of them, profile an AWS "
                 "profile; no-sign-request asks without)"};
  }

  AwsRole role_for(const std::string& arn, std::string session) const {
    AwsRole role;
    role.arn = arn;
    role.session_name = std::move(session);
    role.region = config_.region().empty() ? "us-east-1" : config_.region();
    const char* suffix = role.region.starts_with("cn-") ? ".cn" : "";
    role.endpoint =
        variable("AWS_ENDPOINT_URL_STS")
            .value_or(fmt::format("https://sts.{}.amazonaws.com{}", role.region, suffix));
    while (role.endpoint.ends_with('/')) role.endpoint.pop_back();
    return role;
  }

  // not_found when the profile speaks of no keys at all.
  Result<AwsKeys> of_profile(const AwsProfile& profile, const std::string& name, int depth) {
    const std::string* arn = profile.find("role_arn");
    if (arn != nullptr) {
      const std::string* token = profile.find("web_identity_token_file");
      if (token != nullptr) {
        return assume_role_with_web_identity(role_of(profile, *arn), *token, http_);
      }
      return of_role(profile, name, *arn, depth);
    }
    return of_plain_profile(profile);
  }

  Result<AwsKeys> of_plain_profile(const AwsProfile& profile) {
    const std::string *id = profile.find("aws_access_key_id"),
                      *secret = profile.find("aws_secret_access_key"),
                      *token = profile.find("aws_session_token");
    if (id != nullptr && secret != nullptr) {
      return AwsKeys{*id, *secret, token == nullptr ? "" : *token, {}};
    }
    if (const std::string* command = profile.find("credential_process")) {
      return keys_of_process(*command, http_.stop_token());
    }
    if (profile.find("sso_session") != nullptr || profile.find("sso_account_id") != nullptr) {
      return Error{Code::unsupported,
                   "signs in by SSO; make a profile with credential_process = aws configure "
                   "export-credentials --format process --profile NAME"};
    }
    return Error{Code::not_found, "no keys"};
  }

  AwsRole role_of(const AwsProfile& profile, const std::string& arn) const {
    const auto value = [&](const char* key) {
      const std::string* found = profile.find(key);
      return found == nullptr ? std::string() : *found;
    };
    AwsRole role = role_for(arn, value("role_session_name"));
    if (role.session_name.empty()) role.session_name = "lazyvol";
    role.external_id = value("external_id");
    role.duration_seconds = value("duration_seconds");
    return role;
  }

  Result<AwsKeys> of_role(const AwsProfile& profile, const std::string& name,
                          const std::string& arn, int depth) {
    if (profile.find("mfa_serial") != nullptr) {
      return Error{Code::unsupported, "its role wants a one-time code (mfa_serial)"};
    }
    auto base = keys_for_role(profile, name, depth);
    if (!base.ok() && base.error().code == Code::not_found) {
      return Error{Code::access_denied,
                   "its role has neither source_profile nor credential_source"
                   " that gives keys"};
    }
    if (!base.ok()) return base;
    return assume_role(role_of(profile, arn), *base, http_);
  }

  Result<AwsKeys> keys_for_role(const AwsProfile& profile, const std::string& name, int depth) {
    if (depth >= kMaxRoles) return Error{Code::invalid_argument, "roles go round in a circle"};
    if (const std::string* source = profile.find("source_profile")) {
      if (*source == name) return of_plain_profile(profile);
      const auto other = config_.profile(*source);
      if (!other) return Error{Code::invalid_argument, "its source_profile does not exist"};
      return of_profile(*other, *source, depth + 1);
    }
    const std::string* source = profile.find("credential_source");
    if (source == nullptr) return Error{Code::not_found, "no keys"};
    if (*source == "Ec2InstanceMetadata") return keys_of_instance(environment_, http_);
    if (*source == "EcsContainer") return keys_of_container(environment_, http_);
    if (*source != "Environment") {
      return Error{Code::invalid_argument, "its credential_source is not known"};
    }
    if (const auto keys = of_environment()) return *keys;
    return Error{Code::not_found, "no keys"};
  }

  const AwsEnvironment& environment_;
  const AwsConfig& config_;
  WaitingHttp& http_;
};

}  // namespace

Result<AwsKeys> find_aws_keys(const AwsEnvironment& environment, const std::string& profile,
                              WaitingHttp& http) {
  LAZYVOL_TRY_ASSIGN(const AwsConfig config, AwsConfig::load(environment, profile));
  return Chain(environment, config, http).find(!profile.empty());
}

}  // namespace lazyvol::net
