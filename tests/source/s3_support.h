// How tests open an s3 source without this machine's own AWS settings.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "source/calls.h"
#include "source/s3_source.h"

namespace lazyvol::source {

/// An environment of these variables and no home.
inline net::AwsEnvironment aws_environment(std::map<std::string, std::string> variables = {}) {
  variables.emplace("AWS_EC2_METADATA_DISABLED", "true");
  return {
      [variables = std::move(variables)](const std::string& name) -> std::optional<std::string> {
        const auto found = variables.find(name);
        return found == variables.end() ? std::nullopt : std::optional(found->second);
      },
      "/nonexistent"};
}

inline net::AwsEnvironment aws_keys(const std::string& id, const std::string& secret) {
  return aws_environment({{"AWS_ACCESS_KEY_ID", id}, {"AWS_SECRET_ACCESS_KEY", secret}});
}

inline std::shared_ptr<Source> open_s3(Rig& rig, const std::string& url,
                                       const model::MountOptions& options, S3Tuning tuning) {
  const auto parsed = model::parse_source_url(url);
  EXPECT_TRUE(parsed.ok()) << url;
  auto source = make_s3_source(*parsed, options, rig.environment(), std::move(tuning));
  EXPECT_TRUE(source.ok()) << (source.ok() ? "" : source.error().message);
  return source.ok() ? *source : nullptr;
}

}  // namespace lazyvol::source
