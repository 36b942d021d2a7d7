// What signs a request to an AWS service.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace lazyvol::net {

/// Plain value. Secret: never in a log, a message, an argument or a status.
struct AwsKeys {
  std::string access_key_id, secret_access_key;
  std::string session_token;              ///< of temporary keys; else empty
  std::optional<std::int64_t> expires_s;  ///< Unix seconds; of temporary keys whose end is known

  bool operator==(const AwsKeys&) const = default;
};

}  // namespace lazyvol::net
