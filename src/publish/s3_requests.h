// Signed requests to one bucket, for code that may block.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>

#include "base/clock.h"
#include "lazyvol/error.h"
#include "net/fetch_body.h"
#include "net/retry.h"
#include "source/s3_site.h"

namespace lazyvol::publish {

/// How often and how long a request that fails is sent again: net::next_retry(), where silence
/// begins with the first failure, because an upload may rightly last for longer than anybody waits
/// for a server that answers nothing. Thread rule: one thread.
class Patience {
 public:
  explicit Patience(const net::RetryPolicy& policy) : policy_(policy) {}
  /// How long to wait now that `error` has come; nullopt to give up.
  std::optional<std::chrono::milliseconds> after(const Error& error);

 private:
  const net::RetryPolicy policy_;
  std::optional<base::Monotonic> since_;
  std::uint32_t retries_ = 0;
};

/// Thread-safe; calls block, not from a thread of the site's environment. Errors are those that S3
/// meant (source/s3_error.h), or cancelled once `stop` was requested.
class S3Requests {
 public:
  /// Gives up after `no_progress` in which nothing worked.
  S3Requests(std::shared_ptr<source::S3Site> site, std::chrono::milliseconds no_progress,
             std::uint32_t retries, std::stop_token stop);
  /// The same site for clearing up, which goes on when everything else was stopped.
  S3Requests unstoppable() const;

  source::S3Site& site() const { return *site_; }
  net::HttpRequest request(net::HttpRequest::Method method, std::string url) const;
  Patience patience() const { return Patience(policy_); }

  /// Sends it, again where that may help. The answer's body is at most `max_body` bytes.
  Result<net::HttpBody> send(const net::HttpRequest& request, std::uint64_t max_body) const;
  /// Sends it once (what s3_exchange.h does with refused keys and other regions is part of that).
  Result<net::HttpBody> send_once(net::HttpRequest request, std::uint64_t max_body) const;
  /// False when the stop came first.
  bool pause(std::chrono::milliseconds delay) const;

 private:
  const std::shared_ptr<source::S3Site> site_;
  const net::RetryPolicy policy_;
  const std::stop_token stop_;
};

}  // namespace lazyvol::publish
