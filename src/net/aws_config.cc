#include "net/aws_config.h"

#include <fmt/core.h>
#include <pwd.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <utility>

namespace lazyvol::net {
namespace {

std::string home_directory() {
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0') return home;
  std::array<char, 4096> buffer;
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(::geteuid(), &entry, buffer.data(), buffer.size(), &found) != 0 || !found) {
    return {};
  }
  return entry.pw_dir;
}

std::string path_of(const AwsEnvironment& environment, const char* variable, const char* name) {
  const auto set = environment.variable(variable);
  if (!set) return environment.home + "/.aws/" + name;
  return set->starts_with("~/") ? environment.home + set->substr(1) : *set;
}

std::string config_path(const AwsEnvironment& environment) {
  return path_of(environment, "AWS_CONFIG_FILE", "config");
}

std::string credentials_path(const AwsEnvironment& environment) {
  return path_of(environment, "AWS_SHARED_CREDENTIALS_FILE", "credentials");
}

// Their modes are the user's affair, as for all AWS tools: not read_secret_file().
Result<IniFile> read_ini(const std::string& path) {
  const auto stamp = stamp_of(path);
  if (!stamp.ok() && stamp.error().code == Code::not_found) return IniFile{};
  if (!stamp.ok()) return stamp.error();
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error{Code::access_denied, path + ": cannot be read"};
  std::string text(kMaxIniBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  auto parsed = parse_ini(text);
  if (!parsed.ok()) return parsed.error().in(path);
  return parsed;
}

const std::map<std::string, std::string>* section(const IniFile& file, const std::string& name) {
  const auto found = file.find(name);
  return found == file.end() ? nullptr : &found->second;
}

}  // namespace

AwsEnvironment AwsEnvironment::of_process() {
  return {[](const std::string& name) -> std::optional<std::string> {
            const char* value = std::getenv(name.c_str());
            if (value == nullptr || *value == '\0') return std::nullopt;
            return value;
          },
          home_directory()};
}

const std::string* AwsProfile::find(const std::string& key) const {
  const auto found = values.find(key);
  return found == values.end() || found->second.empty() ? nullptr : &found->second;
}

Result<AwsConfig> AwsConfig::load(const AwsEnvironment& environment, const std::string& profile) {
  AwsConfig config;
  const auto named = profile.empty() ? environment.variable("AWS_PROFILE") : profile;
  config.chosen_ = named.has_value();
  config.name_ = named.value_or("default");
  LAZYVOL_TRY_ASSIGN(config.config_, read_ini(config_path(environment)));
  LAZYVOL_TRY_ASSIGN(config.credentials_, read_ini(credentials_path(environment)));
  const auto found = config.profile(config.name_);
  if (!found && config.chosen_) {
    return Error{Code::invalid_argument,
                 fmt::format("the AWS profile '{}' is neither in {} nor in {}", config.name_,
                             config_path(environment), credentials_path(environment))};
  }
  const std::string* region = found ? found->find("region") : nullptr;
  if (const auto set = environment.variable("AWS_REGION")) {
    config.region_ = *set;
  } else if (const auto older = environment.variable("AWS_DEFAULT_REGION")) {
    config.region_ = *older;
  } else if (region != nullptr) {
    config.region_ = *region;
  }
  return config;
}

std::optional<AwsProfile> AwsConfig::profile(const std::string& name) const {
  const auto* secret = section(credentials_, name);
  const auto* open = section(config_, "profile " + name);
  if (open == nullptr && name == "default") open = section(config_, name);
  if (secret == nullptr && open == nullptr) return std::nullopt;
  AwsProfile profile;
  if (secret != nullptr) profile.values = *secret;
  if (open != nullptr) profile.values.insert(open->begin(), open->end());
  return profile;
}

std::vector<std::optional<FileStamp>> AwsConfig::stamps(const AwsEnvironment& environment) {
  std::vector<std::optional<FileStamp>> out;
  for (const auto& path : {config_path(environment), credentials_path(environment)}) {
    const auto stamp = stamp_of(path);
    out.push_back(stamp.ok() ? std::optional(*stamp) : std::nullopt);
  }
  return out;
}

}  // namespace lazyvol::net
