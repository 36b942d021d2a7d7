#include "publish/s3_requests.h"

#include <condition_variable>
#include <future>
#include <mutex>
#include <random>
#include <utility>

namespace lazyvol::publish {
namespace {

using std::chrono::milliseconds;

double random_unit() {
  thread_local std::minstd_rand engine{std::random_device{}()};
  return std::uniform_real_distribution<double>(0.0, 1.0)(engine);
}

net::RetryPolicy policy_of(milliseconds no_progress, std::uint32_t retries) {
  net::RetryPolicy policy;
  policy.max_retries = retries;
  policy.deadline = no_progress;
  return policy;
}

}  // namespace

std::optional<milliseconds> Patience::after(const Error& error) {
  const base::Monotonic now = base::system_clock().now();
  if (!since_) since_ = now;
  const auto silent = std::chrono::duration_cast<milliseconds>(now - *since_);
  return net::next_retry(policy_, error, retries_++, silent, random_unit());
}

S3Requests::S3Requests(std::shared_ptr<source::S3Site> site, milliseconds no_progress,
                       std::uint32_t retries, std::stop_token stop)
    : site_(std::move(site)), policy_(policy_of(no_progress, retries)), stop_(std::move(stop)) {}

S3Requests S3Requests::unstoppable() const {
  constexpr milliseconds kLongest{10'000};
  constexpr std::uint32_t kRetries = 3;
  return {site_, std::min(policy_.deadline, kLongest), std::min(policy_.max_retries, kRetries), {}};
}

net::HttpRequest S3Requests::request(net::HttpRequest::Method method, std::string url) const {
  RequestContext context;
  context.cause = Cause::check;
  context.no_progress = policy_.deadline;
  context.stop = stop_;
  net::HttpRequest request = site_->request(method, std::move(url), context);
  // Else libcurl would call a body a form.
  if (method == net::HttpRequest::Method::put || method == net::HttpRequest::Method::post) {
    request.headers.emplace_back("Content-Type", "application/octet-stream");
  }
  return request;
}

Result<net::HttpBody> S3Requests::send(const net::HttpRequest& request,
                                       std::uint64_t max_body) const {
  Patience patience = this->patience();
  while (true) {
    auto answer = send_once(request, max_body);
    if (answer.ok()) return answer;
    const auto delay = patience.after(answer.error());
    if (!delay) return answer;
    if (!pause(*delay)) return Error{Code::cancelled, "stopped"};
  }
}

Result<net::HttpBody> S3Requests::send_once(net::HttpRequest request,
                                            std::uint64_t max_body) const {
  net::FetchBodyOptions options;
  options.max_body = max_body;
  options.retry.max_retries = 0;
  options.submit = [site = site_](net::HttpRequest attempt, std::shared_ptr<net::HttpSink> sink) {
    (void)site->submit(std::move(attempt), std::move(sink));
  };
  // Shared: a promise may be in set_value() still when its future has answered.
  const auto answer = std::make_shared<std::promise<Result<net::HttpBody>>>();
  const auto& environment = site_->environment();
  net::fetch_body(environment.http, environment.timer, std::move(request), std::move(options),
                  [answer](Result<net::HttpBody> body) { answer->set_value(std::move(body)); });
  return answer->get_future().get();
}

bool S3Requests::pause(milliseconds delay) const {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  return !never.wait_for(lock, stop_, delay, [] { return false; }) && !stop_.stop_requested();
}

}  // namespace lazyvol::publish
