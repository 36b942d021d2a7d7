#include "source/s3_site.h"

#include <utility>

#include "base/log.h"
#include "source/s3_exchange.h"

namespace lazyvol::source {

Result<std::shared_ptr<S3Site>> S3Site::make(const model::SourceUrl& url,
                                             const model::MountOptions& options,
                                             const SourceEnvironment& environment,
                                             S3Tuning tuning) {
  LAZYVOL_TRY_ASSIGN(auto file, net::Credentials::open(options.credentials, options.ca_cert));
  LAZYVOL_TRY_ASSIGN(S3Address address, S3Address::make(url, options));
  const auto config = net::AwsConfig::load(tuning.aws, options.profile);
  // AWS's settings may be broken when nothing but the region is wanted of them.
  const bool needed = !options.no_sign_request && file->current()->access_key_id.empty();
  if (!config.ok() && (needed || !options.profile.empty())) return config.error();
  Settings settings{std::move(address), options.region,   options.requester_pays,
                    options.io_retries, tuning.page_keys, tuning.complains};
  if (settings.region.empty() && config.ok()) settings.region = config->region();
  if (settings.region.empty()) settings.region = "us-east-1";
  auto keys = std::make_shared<net::AwsCredentials>(
      net::AwsCredentialsOptions{options.no_sign_request, options.profile, std::move(tuning.aws),
                                 file},
      net::AwsCredentialsTools{environment.http, environment.timer, environment.blocking});
  return std::make_shared<S3Site>(environment, std::move(file), std::move(keys),
                                  std::move(settings));
}

S3Site::S3Site(const SourceEnvironment& environment, std::shared_ptr<net::Credentials> file,
               std::shared_ptr<net::AwsCredentials> keys, Settings settings)
    : HttpSite(environment, std::move(file), settings.retries),
      settings_(std::move(settings)),
      keys_(std::move(keys)) {
  where_.lock()->region = settings_.region;
}

std::shared_ptr<const net::HttpIdentity> S3Site::trust_only() const {
  const auto now = credentials().current();
  auto trust = trust_.lock();
  if (trust->from != now) {
    auto reduced = std::make_shared<net::HttpIdentity>();
    reduced->ca_cert_path = now->ca_cert_path;
    reduced->client_cert_path = now->client_cert_path;
    reduced->client_key_path = now->client_key_path;
    trust->from = now;
    trust->reduced = std::move(reduced);
  }
  return trust->reduced;
}

net::HttpRequest S3Site::request(net::HttpRequest::Method method, std::string url,
                                 const RequestContext& ctx) const {
  net::HttpRequest request;
  request.method = method;
  request.url = std::move(url);
  request.follow_redirects = false;
  request.identity = trust_only();
  request.context = ctx;
  if (settings_.requester_pays) request.headers.emplace_back("x-amz-request-payer", "requester");
  return request;
}

std::shared_ptr<Transfer> S3Site::submit(net::HttpRequest request,
                                         std::shared_ptr<net::HttpSink> sink) {
  return start_s3_exchange(std::static_pointer_cast<S3Site>(shared_from_this()), std::move(request),
                           std::move(sink));
}

std::string S3Site::object_url(std::string_view key) const {
  return address().origin(region()) + address().object_resource(key);
}

std::string S3Site::object_url(std::string_view key, const net::Query& query) const {
  return object_url(key) + "?" + net::canonical_query(query);
}

std::string S3Site::list_url(const net::Query& query) const {
  return address().origin(region()) + address().list_resource(query);
}

bool S3Site::move(const std::string& asked, const std::string& to) {
  if (to.empty() || to == asked) return false;
  auto where = where_.lock();
  if (where->region != asked) return true;
  if (where->moved) return false;
  where->moved = true;
  where->region = to;
  where.unlock();
  base::log_info("{}: the bucket is in region {}, not {}", address().display(), to, asked);
  return true;
}

void S3Site::complain(const Error& error) {
  if (!settings_.complains) return;
  auto last = last_complaint_.lock();
  // The same refusal of another object is no news.
  const std::string reason = error.message.substr(error.message.find(": ") + 1);
  if (*last == reason) return;
  *last = reason;
  last.unlock();
  base::log_warn("{}: {}", address().display(), error.message);
}

}  // namespace lazyvol::source
