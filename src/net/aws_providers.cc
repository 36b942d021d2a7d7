#include "net/aws_providers.h"

#include <arpa/inet.h>
#include <fmt/core.h>

#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "net/http_url.h"
#include "net/key_command.h"
#include "net/sigv4.h"
#include "net/xml_reader.h"

namespace lazyvol::net {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint64_t kMaxAnswer = 256 * 1024;

// How a service that gives out keys is asked: what it says in refusing is shown as a code only.
FetchBodyOptions options_for(milliseconds patience, std::uint32_t retries) {
  FetchBodyOptions options;
  options.max_body = kMaxAnswer;
  options.retry.max_retries = retries;
  options.retry.deadline = patience;
  return options;
}

HttpRequest request_for(HttpRequest::Method method, std::string url, milliseconds patience) {
  HttpRequest request;
  request.method = method;
  request.url = std::move(url);
  request.follow_redirects = false;  // a token must not travel
  request.context.priority = Priority::metadata;
  request.context.no_progress = patience;
  return request;
}

// A short code such as "InvalidIdentityToken"; anything else may hold more than a code.
std::string code_word(const std::string& text) {
  constexpr std::size_t kLongest = 64;
  const bool word =
      !text.empty() && text.size() <= kLongest && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '.' || c == '_' || c == '-';
      });
  return word ? text : "no known reason";
}

Result<std::string> read_token(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error{Code::access_denied, path + ": cannot be read"};
  std::string text(kMaxSecretFile + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) {
    text.pop_back();
  }
  if (text.empty() || text.size() > kMaxSecretFile) {
    return Error{Code::invalid_argument, path + ": holds no token"};
  }
  return text;
}

Result<AwsKeys> checked(AwsKeys keys, std::string_view whose) {
  if (!keys.access_key_id.empty() && !keys.secret_access_key.empty()) return keys;
  return Error{Code::corrupt, fmt::format("{} gave no keys", whose)};
}

bool may_give_keys_unprotected(const Origin& origin) {
  if (origin.tls() || origin.host == "localhost") return true;
  in_addr four{};
  if (::inet_pton(AF_INET, origin.host.c_str(), &four) == 1) {
    const bool loopback = (ntohl(four.s_addr) >> 24) == 127;
    return loopback || origin.host == "169.254.170.2" || origin.host == "169.254.170.23";
  }
  const bool bracketed = origin.host.starts_with('[') && origin.host.ends_with(']');
  const std::string bare = bracketed ? origin.host.substr(1, origin.host.size() - 2) : origin.host;
  in6_addr six{}, eks{};
  ::inet_pton(AF_INET6, "fd00:ec2::23", &eks);
  if (::inet_pton(AF_INET6, bare.c_str(), &six) != 1) return false;
  return IN6_IS_ADDR_LOOPBACK(&six) != 0 || IN6_ARE_ADDR_EQUAL(&six, &eks) != 0;
}

Result<AwsKeys> ask_sts(const AwsRole& role, Query query, const AwsKeys* keys, WaitingHttp& http) {
  constexpr seconds kPatience{10};
  query.emplace_back("Version", "2011-06-15");
  query.emplace_back("RoleArn", role.arn);
  query.emplace_back("RoleSessionName", role.session_name);
  if (!role.external_id.empty()) query.emplace_back("ExternalId", role.external_id);
  if (!role.duration_seconds.empty()) {
    query.emplace_back("DurationSeconds", role.duration_seconds);
  }
  auto request = request_for(HttpRequest::Method::post, role.endpoint + "/", kPatience);
  request.body = canonical_query(query);
  request.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
  if (keys != nullptr) {
    const std::int64_t now_s = base::system_clock().wall_ns() / 1'000'000'000;
    LAZYVOL_TRY(sign(request, *keys, {role.region, "sts"}, now_s));
  }
  auto options = options_for(kPatience, 3);
  options.explain = [&role](const HttpHead& head, std::string_view page) {
    const auto texts = xml_texts(page);
    const bool known = texts.ok() && texts->contains("Code");
    return Error{head.status >= 500 ? Code::io_error : Code::access_denied,
                 fmt::format("STS refuses the role {}: HTTP {} {}", role.arn, head.status,
                             code_word(known ? texts->at("Code") : ""))};
  };
  LAZYVOL_TRY_ASSIGN(const HttpBody answer, http.fetch(std::move(request), std::move(options)));
  return parse_sts_keys(answer.bytes);
}

}  // namespace

std::optional<std::int64_t> parse_expiry(const std::string& text) {
  std::tm time{};
  const char* rest = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &time);
  if (rest == nullptr) return std::nullopt;
  if (*rest == '.') {
    for (++rest; *rest >= '0' && *rest <= '9';) ++rest;
  }
  std::int64_t offset = 0;
  if (*rest == '+' || *rest == '-') {
    std::tm zone{};
    const char* end = ::strptime(rest + 1, "%H:%M", &zone);
    if (end == nullptr || *end != '\0') return std::nullopt;
    offset = (*rest == '-' ? -1 : 1) * (zone.tm_hour * 3600 + zone.tm_min * 60);
  } else if (std::string_view(rest) != "Z") {
    return std::nullopt;
  }
  return static_cast<std::int64_t>(::timegm(&time)) - offset;
}

Result<AwsKeys> parse_json_keys(const std::string& text) {
  constexpr std::string_view kWhose = "the provider of keys";
  const auto document = nlohmann::json::parse(text, nullptr, false);
  if (!document.is_object()) {
    return Error{Code::corrupt, fmt::format("{} gave no JSON object", kWhose)};
  }
  const auto field = [&](const char* name) -> std::string {
    const auto at = document.find(name);
    return at != document.end() && at->is_string() ? at->get<std::string>() : std::string();
  };
  AwsKeys keys{field("AccessKeyId"), field("SecretAccessKey"), field("SessionToken"), {}};
  if (keys.session_token.empty()) keys.session_token = field("Token");
  keys.expires_s = parse_expiry(field("Expiration"));
  if (!keys.expires_s && !field("Expiration").empty()) {
    return Error{Code::corrupt, fmt::format("{} gave an Expiration that is no date", kWhose)};
  }
  return checked(std::move(keys), kWhose);
}

Result<AwsKeys> parse_sts_keys(const std::string& xml) {
  LAZYVOL_TRY_ASSIGN(auto texts, xml_texts(xml));
  AwsKeys keys{texts["AccessKeyId"], texts["SecretAccessKey"], texts["SessionToken"],
               parse_expiry(texts["Expiration"])};
  return checked(std::move(keys), "STS");
}

Result<AwsKeys> keys_of_process(const std::string& command, const std::stop_token& stop) {
  constexpr seconds kPatience{60};
  auto argv = split_command(command);
  if (!argv.ok()) return argv.error().in("credential_process");
  auto output = run_key_command(*argv, kPatience, stop);
  if (!output.ok()) return output.error().in("credential_process");
  auto keys = parse_json_keys(*output);
  if (!keys.ok()) return keys.error().in("credential_process");
  return keys;
}

Result<AwsKeys> keys_of_container(const AwsEnvironment& environment, WaitingHttp& http) {
  constexpr seconds kPatience{5};
  std::string url;
  if (const auto relative = environment.variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")) {
    url = "http://169.254.170.2" + *relative;
  } else if (const auto full = environment.variable("AWS_CONTAINER_CREDENTIALS_FULL_URI")) {
    url = *full;
    const auto parsed = parse_http_url(url);
    if (!parsed.ok()) return parsed.error().in("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    if (!may_give_keys_unprotected(parsed->origin)) {
      return Error{Code::access_denied,
                   "AWS_CONTAINER_CREDENTIALS_FULL_URI must be https, or on loopback or the "
                   "addresses of ECS and EKS"};
    }
  }
  auto request = request_for(HttpRequest::Method::get, std::move(url), kPatience);
  request.bypass_proxy = true;
  if (const auto file = environment.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")) {
    LAZYVOL_TRY_ASSIGN(auto token, read_token(*file));
    request.headers.emplace_back("Authorization", std::move(token));
  } else if (const auto token = environment.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN")) {
    request.headers.emplace_back("Authorization", *token);
  }
  auto answer = http.fetch(std::move(request), options_for(kPatience, 3));
  if (!answer.ok()) return answer.error().in("the container's keys");
  return parse_json_keys(answer->bytes);
}

Result<AwsKeys> keys_of_instance(const AwsEnvironment& environment, WaitingHttp& http) {
  constexpr seconds kPatience{1};
  constexpr std::string_view kRoles = "/latest/meta-data/iam/security-credentials/";
  std::string service =
      environment.variable("AWS_EC2_METADATA_SERVICE_ENDPOINT").value_or("http://169.254.169.254");
  while (service.ends_with('/')) service.pop_back();
  auto wanted = request_for(HttpRequest::Method::put, service + "/latest/api/token", kPatience);
  wanted.bypass_proxy = true;
  wanted.headers.emplace_back("X-aws-ec2-metadata-token-ttl-seconds", "21600");
  const auto session = http.fetch(std::move(wanted), options_for(kPatience, 0));
  if (!session.ok() && session.error().code == Code::cancelled) return session.error();
  if (!session.ok()) return Error{Code::not_found, "no instance metadata"};
  const auto get = [&](std::string url) {
    auto request = request_for(HttpRequest::Method::get, std::move(url), kPatience);
    request.bypass_proxy = true;
    request.headers.emplace_back("X-aws-ec2-metadata-token", session->bytes);
    return http.fetch(std::move(request), options_for(kPatience * 5, 3));
  };
  auto role = get(service + std::string(kRoles));
  if (!role.ok()) return role.error().in("the role of this instance");
  const std::string name = role->bytes.substr(0, role->bytes.find_first_of("\r\n"));
  auto answer = get(service + std::string(kRoles) + name);
  if (!answer.ok()) return answer.error().in("the keys of this instance");
  return parse_json_keys(answer->bytes);
}

Result<AwsKeys> assume_role(const AwsRole& role, const AwsKeys& keys, WaitingHttp& http) {
  return ask_sts(role, {{"Action", "AssumeRole"}}, &keys, http);
}

Result<AwsKeys> assume_role_with_web_identity(const AwsRole& role, const std::string& token_file,
                                              WaitingHttp& http) {
  LAZYVOL_TRY_ASSIGN(auto token, read_token(token_file));
  Query query{{"Action", "AssumeRoleWithWebIdentity"}, {"WebIdentityToken", std::move(token)}};
  return ask_sts(role, std::move(query), nullptr, http);
}

}  // namespace lazyvol::net
