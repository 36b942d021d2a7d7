#include "source/s3_bucket.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <atomic>

#include "model/source_url.h"
#include "net/sigv4.h"
#include "source/http_site.h"
#include "support/radosgw.h"

namespace lazyvol::source {
namespace {

using lazyvol::testing::Radosgw;
using Method = net::HttpRequest::Method;

std::string new_name() {
  static std::atomic<int> count{0};
  return fmt::format("bucket-{}", ++count);
}

}  // namespace

S3Bucket::S3Bucket()
    : name_(new_name()),
      engine_(std::make_unique<net::HttpEngine>(net::HttpEngineOptions{})),
      http_(std::make_unique<net::WaitingHttp>(*engine_, timer_)) {
  send(Method::put, "/" + name_, {}, {});
}

S3Bucket::~S3Bucket() {
  timer_.stop();
  engine_.reset();
}

void S3Bucket::put(const std::string& key, std::string_view bytes, Headers headers) {
  send(Method::put, "/" + name_ + "/" + model::percent_encode_path(key), bytes, std::move(headers));
}

void S3Bucket::remove(const std::string& key) {
  send(Method::del, "/" + name_ + "/" + model::percent_encode_path(key), {}, {});
}

void S3Bucket::open_to_everybody() {
  const std::string policy =
      fmt::format(R"({{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":"*",)"
                  R"("Action":["s3:GetObject","s3:ListBucket"],)"
                  R"("Resource":["arn:aws:s3:::{0}","arn:aws:s3:::{0}/*"]}}]}})",
                  name_);
  send(Method::put, "/" + name_ + "?policy=", policy, {});
}

void S3Bucket::send(Method method, const std::string& resource, std::string_view body,
                    Headers headers) {
  net::HttpRequest request;
  request.method = method;
  request.url = Radosgw::shared().endpoint() + resource;
  request.headers = std::move(headers);
  request.body = body;
  request.context.no_progress = std::chrono::minutes(2);
  const net::AwsKeys keys{Radosgw::kAccessKey, Radosgw::kSecretKey, {}, {}};
  ASSERT_TRUE(net::sign(request, keys, {"us-east-1", "s3"}, local_now_s()).ok());
  net::FetchBodyOptions options;
  options.retry.deadline = std::chrono::minutes(2);
  options.explain = [](const net::HttpHead& head, std::string_view page) {
    return Error{Code::io_error, fmt::format("HTTP {} {}", head.status, page)};
  };
  const auto answer = http_->fetch(std::move(request), std::move(options));
  ASSERT_TRUE(answer.ok()) << resource << ": " << answer.error().message;
}

}  // namespace lazyvol::source
