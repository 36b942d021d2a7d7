// A bucket of a real S3 service, filled and changed by plain signed requests.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/timer.h"
#include "net/aws_keys.h"
#include "net/http_engine.h"
#include "net/waiting_http.h"

namespace lazyvol::source {

/// Made with a new name in Radosgw::shared(). Every failure fails the test. Not thread-safe.
class S3Bucket {
 public:
  using Headers = std::vector<std::pair<std::string, std::string>>;

  S3Bucket();
  ~S3Bucket();

  const std::string& name() const { return name_; }
  void put(const std::string& key, std::string_view bytes, Headers headers = {});
  void remove(const std::string& key);
  /// Anybody may list and read the bucket, as its policy.
  void open_to_everybody();

 private:
  void send(net::HttpRequest::Method method, const std::string& resource, std::string_view body,
            Headers headers);

  const std::string name_;
  base::TimerQueue timer_;
  std::unique_ptr<net::HttpEngine> engine_;
  std::unique_ptr<net::WaitingHttp> http_;
};

}  // namespace lazyvol::source
