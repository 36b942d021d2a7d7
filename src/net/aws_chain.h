// The order in which keys are looked for, as the AWS SDKs have it.
#pragma once

#include <string>

#include "net/aws_config.h"
#include "net/aws_keys.h"
#include "net/waiting_http.h"

namespace lazyvol::net {

/// Looks for keys; the first place that is configured decides, also by failing:
///  1. with `profile`: that profile, else
///  2. $AWS_ACCESS_KEY_ID and $AWS_SECRET_ACCESS_KEY (with $AWS_SESSION_TOKEN)
///  3. $AWS_WEB_IDENTITY_TOKEN_FILE with $AWS_ROLE_ARN
///  4. the profile $AWS_PROFILE or "default": role_arn (with web_identity_token_file,
///     source_profile or credential_source), keys, credential_process
///  5. the container's endpoint
///  6. the instance's role, unless $AWS_EC2_METADATA_DISABLED is "true"
/// Reads files, runs programs, asks services: blocks, for worker threads. Errors: access_denied
/// when nothing is found (the message says where to put keys), else those of the place.
Result<AwsKeys> find_aws_keys(const AwsEnvironment& environment, const std::string& profile,
                              WaitingHttp& http);

}  // namespace lazyvol::net
