// The places that give out keys for AWS services, one function each. They block: for worker
// threads.
//
// Sources: AWS SDKs and Tools Reference Guide, "Standardized credential providers"
// (https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html); AWS STS API
// Reference; "Instance metadata" of the EC2 User Guide (version 2 of the service only).
//
// No message of an error holds a key, a token or what a server said in a field that may hold one.
#pragma once

#include <string>

#include "net/aws_config.h"
#include "net/aws_keys.h"
#include "net/waiting_http.h"

namespace lazyvol::net {

/// "2016-02-25T06:03:31Z", with a fraction or an offset; nullopt for anything else. Pure.
std::optional<std::int64_t> parse_expiry(const std::string& text);

/// The JSON document of credential_process, of containers and of instances: AccessKeyId,
/// SecretAccessKey, Token or SessionToken, Expiration. Errors: corrupt. Pure.
Result<AwsKeys> parse_json_keys(const std::string& text);

/// The document of an STS answer. Errors: corrupt. Pure.
Result<AwsKeys> parse_sts_keys(const std::string& xml);

/// Runs credential_process; gives up after a minute.
Result<AwsKeys> keys_of_process(const std::string& command, const std::stop_token& stop);

/// $AWS_CONTAINER_CREDENTIALS_RELATIVE_URI, or _FULL_URI: which must be https, or lie on loopback
/// or on the addresses of ECS (169.254.170.2) and EKS (169.254.170.23, fd00:ec2::23). The
/// authorization token comes from its file, read now, or from the environment.
Result<AwsKeys> keys_of_container(const AwsEnvironment& environment, WaitingHttp& http);

/// The role of this EC2 instance. not_found when there is no metadata service within a second.
Result<AwsKeys> keys_of_instance(const AwsEnvironment& environment, WaitingHttp& http);

/// What AssumeRole and its sister need.
struct AwsRole {
  std::string arn, session_name;
  std::string external_id;       ///< may be empty
  std::string duration_seconds;  ///< may be empty
  std::string endpoint;          ///< of STS, "https://sts.eu-central-1.amazonaws.com"
  std::string region;            ///< of STS
};

Result<AwsKeys> assume_role(const AwsRole& role, const AwsKeys& keys, WaitingHttp& http);
/// The token is read from its file now: Kubernetes replaces it.
Result<AwsKeys> assume_role_with_web_identity(const AwsRole& role, const std::string& token_file,
                                              WaitingHttp& http);

}  // namespace lazyvol::net
