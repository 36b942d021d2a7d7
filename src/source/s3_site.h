// What all requests of one s3 source share: where it is, who asks, and what was learned of it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/locked.h"
#include "net/aws_config.h"
#include "net/aws_credentials.h"
#include "source/http_site.h"
#include "source/s3_address.h"

namespace lazyvol::source {

/// What the mount options do not say.
struct S3Tuning {
  net::AwsEnvironment aws = net::AwsEnvironment::of_process();
  std::uint32_t page_keys = 0;  ///< of one page of a listing; 0 = as many as the service likes
  bool complains = true;        ///< refusals go to the log, too: nobody may see the error
};

/// Thread-safe. Requests are signed, and sent by S3Exchange. Whoever makes one closes its keys()
/// before the environment goes.
class S3Site : public HttpSite {
 public:
  struct Settings {
    S3Address address;
    std::string region;
    bool requester_pays = false;
    std::uint32_t retries = 10;
    /// Of one page of a listing; 0 = as many as the service likes (1,000). For tests.
    std::uint32_t page_keys = 0;
    bool complains = true;
  };

  /// `url` has the scheme s3. Reads the credentials file and AWS's settings, reaches no network.
  /// Errors: as net::Credentials::open and net::AwsConfig::load; invalid_argument for an endpoint
  /// or a profile that cannot be.
  static Result<std::shared_ptr<S3Site>> make(const model::SourceUrl& url,
                                              const model::MountOptions& options,
                                              const SourceEnvironment& environment,
                                              S3Tuning tuning);

  /// `file` is for TLS; its keys are `keys`' affair.
  S3Site(const SourceEnvironment& environment, std::shared_ptr<net::Credentials> file,
         std::shared_ptr<net::AwsCredentials> keys, Settings settings);

  net::HttpRequest request(net::HttpRequest::Method method, std::string url,
                           const RequestContext& ctx) const override;
  std::shared_ptr<Transfer> submit(net::HttpRequest request,
                                   std::shared_ptr<net::HttpSink> sink) override;
  /// S3 stores what the uploader said of the encoding, and gives the stored bytes.
  bool keeps_encodings() const override { return true; }

  const S3Address& address() const { return settings_.address; }
  std::uint32_t page_keys() const { return settings_.page_keys; }
  net::AwsCredentials& keys() const { return *keys_; }
  std::string object_url(std::string_view key) const;
  /// Of a request to the bucket itself: a listing.
  std::string list_url(const net::Query& query) const;
  /// Of a request about an object that has a query: a part of an upload.
  std::string object_url(std::string_view key, const net::Query& query) const;

  std::string region() const { return where_.lock()->region; }
  /// After a refusal of a request for `asked` that named another region: true when it should be
  /// sent again, to region(). That is so when somebody moved meanwhile, or when nobody has moved
  /// yet; the move is logged.
  bool move(const std::string& asked, const std::string& to);
  /// One line for the log, the first time and when it is another one.
  void complain(const Error& error);

 private:
  struct Where {
    std::string region;
    bool moved = false;
  };
  /// Without what would be sent beside the signature.
  std::shared_ptr<const net::HttpIdentity> trust_only() const;

  const Settings settings_;
  const std::shared_ptr<net::AwsCredentials> keys_;
  base::Locked<Where> where_;
  base::Locked<std::string> last_complaint_;
  struct Trust {
    std::shared_ptr<const net::HttpIdentity> from, reduced;
  };
  base::Locked<Trust> trust_;
};

}  // namespace lazyvol::source
