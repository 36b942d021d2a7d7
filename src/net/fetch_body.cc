#include "net/fetch_body.h"

#include <fmt/core.h>

#include <charconv>
#include <optional>
#include <random>
#include <stop_token>
#include <utility>

#include "base/clock.h"
#include "base/locked.h"
#include "net/redact.h"

namespace lazyvol::net {
namespace {

using std::chrono::milliseconds;

double random_unit() {
  thread_local std::minstd_rand engine{std::random_device{}()};
  return std::uniform_real_distribution<double>(0.0, 1.0)(engine);
}

/// One fetch_body() call: the sink of each attempt in turn. Kept alive by the engine while an
/// attempt is under way and by the timer's task between two; when both drop it, the answer is
/// `cancelled`.
///
/// Attempts follow each other, and each hand-over goes through the lock of the engine or the timer,
/// so only what stop() touches needs a lock of its own.
class BodyFetch final : public HttpSink, public std::enable_shared_from_this<BodyFetch> {
 public:
  BodyFetch(HttpEngine& engine, base::TimerQueue& timer, HttpRequest request,
            FetchBodyOptions options, FetchBodyDone done)
      : engine_(engine),
        timer_(timer),
        options_(std::move(options)),
        request_(std::move(request)),
        done_(std::move(done)),
        last_progress_(base::system_clock().now()) {}

  ~BodyFetch() override {
    on_stop_.reset();
    if (done_) done_(Error{Code::cancelled, "cancelled"});
  }

  void start() {
    on_stop_ = std::make_unique<StopCallback>(request_.context.stop, [weak = weak_from_this()] {
      if (auto self = weak.lock()) self->stop_waiting();
    });
    attempt();
  }

  Flow on_head(const HttpHead& head) override {
    body_.head = head;
    const bool encoded = head.headers.find("content-encoding") != nullptr;
    const std::string* length_text = head.headers.find("content-length");
    if (!wanted() || encoded || length_text == nullptr) return Flow::proceed;
    std::uint64_t length = 0;
    std::from_chars(length_text->data(), length_text->data() + length_text->size(), length);
    const bool has_body = request_.method != HttpRequest::Method::head && head.status != 304;
    return has_body && length > options_.max_body ? overflow() : Flow::proceed;
  }

  Flow on_data(std::span<const std::byte> data) override {
    constexpr std::size_t kMaxErrorPage = 64 * 1024;  // more is not read to keep the connection
    if (!wanted()) {
      skipped_ += data.size();
      if (options_.explain && skipped_ <= kMaxErrorPage) keep(data);
      return skipped_ > kMaxErrorPage ? Flow::abort : Flow::proceed;
    }
    last_progress_ = base::system_clock().now();
    if (body_.bytes.size() + data.size() > options_.max_body) return overflow();
    keep(data);
    return Flow::proceed;
  }

  void on_done(Status status) override {
    const int http_status = body_.head.status;
    if (overflowed_) {
      return finish(
          Error{Code::too_large, fmt::format("{}: more than {} bytes", what(), options_.max_body)});
    }
    if (http_status != 0 && !wanted()) {
      // A refusal that came whole is no success, only because nobody waits for another attempt.
      if (request_.context.stop.stop_requested()) {
        return finish(Error{Code::cancelled, "cancelled"});
      }
      return on_refused(http_status);  // the head says it all, however its page ended
    }
    if (status.ok()) return finish(std::move(body_));
    retry_or_finish(std::move(status).error());
  }

 private:
  using StopCallback = std::stop_callback<std::function<void()>>;

  /// True when the head's status is one that fetch_body() gives as success.
  bool wanted() const {
    return (body_.head.status >= 200 && body_.head.status < 300) || body_.head.status == 304;
  }

  std::string what() const {
    return fmt::format("{} {}", method_name(request_.method), redact_url(request_.url));
  }

  void keep(std::span<const std::byte> data) {
    body_.bytes.append(reinterpret_cast<const char*>(data.data()), data.size());
  }

  Flow overflow() {
    overflowed_ = true;
    return Flow::abort;
  }

  void attempt() {
    body_ = {};
    skipped_ = 0;
    if (options_.submit) return options_.submit(request_, shared_from_this());
    (void)engine_.submit(request_, shared_from_this());  // never paused, so never resumed
  }

  void on_refused(int http_status) {
    const bool denied = http_status == 401 || http_status == 403;
    if (denied && options_.refresh_identity && !refreshed_) {
      refreshed_ = true;
      return later(milliseconds(0), [](BodyFetch& self) { self.refresh(); });
    }
    if (http_status < 400) {
      return finish(
          Error{Code::io_error, fmt::format("{}: unexpected HTTP status {}", what(), http_status)});
    }
    if (options_.explain) return retry_or_finish(options_.explain(body_.head, body_.bytes));
    retry_or_finish(http_status_error(body_.head, what()));
  }

  void refresh() {
    auto identity = options_.refresh_identity();
    if (!identity || identity == request_.identity) {
      return finish(http_status_error(body_.head.status, what(), std::nullopt));
    }
    request_.identity = std::move(identity);
    attempt();
  }

  void retry_or_finish(Error error) {
    const auto since =
        std::chrono::duration_cast<milliseconds>(base::system_clock().now() - last_progress_);
    const auto delay = next_retry(options_.retry, error, retries_, since, random_unit());
    if (!delay) return finish(std::move(error));
    ++retries_;
    later(*delay, [](BodyFetch& self) { self.attempt(); });
  }

  /// Goes on with `step` on the timer's thread, or ends there when stop was requested.
  void later(milliseconds delay, void (*step)(BodyFetch&)) {
    auto task = [self = shared_from_this(), step] {
      self->waiting_.lock()->reset();
      if (self->request_.context.stop.stop_requested()) {
        return self->finish(Error{Code::cancelled, "cancelled"});
      }
      step(*self);
    };
    auto waiting = waiting_.lock();
    // A stop from here on finds the task; one before must not wait for it.
    if (request_.context.stop.stop_requested()) delay = milliseconds(0);
    *waiting = timer_.after(delay, std::move(task));
  }

  /// On the thread that requests the stop, perhaps with its locks held: nothing but a hand-over.
  void stop_waiting() {
    auto waiting = waiting_.lock();
    if (!waiting->has_value() || !timer_.cancel(**waiting)) return;
    waiting->reset();
    timer_.after(milliseconds(0), [self = shared_from_this()] {
      self->finish(Error{Code::cancelled, "cancelled"});
    });
  }

  void finish(Result<HttpBody> result) {
    const FetchBodyDone done = std::exchange(done_, nullptr);
    if (done) done(std::move(result));
  }

  // Constant.
  HttpEngine& engine_;
  base::TimerQueue& timer_;
  const FetchBodyOptions options_;

  // Handed from attempt to attempt.
  HttpRequest request_;
  FetchBodyDone done_;
  HttpBody body_;
  base::Monotonic last_progress_;
  std::size_t skipped_ = 0;  ///< of a page that nobody wants
  std::uint32_t retries_ = 0;
  bool overflowed_ = false;
  bool refreshed_ = false;

  base::Locked<std::optional<base::TimerQueue::Id>> waiting_;  ///< the task between two attempts
  std::unique_ptr<StopCallback> on_stop_;
};

}  // namespace

void fetch_body(HttpEngine& engine, base::TimerQueue& timer, HttpRequest request,
                FetchBodyOptions options, FetchBodyDone done) {
  std::make_shared<BodyFetch>(engine, timer, std::move(request), std::move(options),
                              std::move(done))
      ->start();
}

}  // namespace lazyvol::net
