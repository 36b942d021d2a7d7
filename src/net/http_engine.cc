#include "net/http_engine.h"

#include <fmt/core.h>
#include <signal.h>

#include <algorithm>
#include <new>
#include <thread>
#include <unordered_map>

#include "base/log.h"
#include "base/workers.h"
#include "net/curl_transfer.h"
#include "net/easy_handle.h"
#include "net/mailbox.h"
#include "net/redact.h"
#include "net/request_queue.h"
#include "net/socket_registry.h"

namespace lazyvol::net {
namespace {

using base::Monotonic;

Monotonic now() {
  return base::system_clock().now();
}

HttpEngineOptions with_defaults(HttpEngineOptions options) {
  if (options.user_agent.empty()) options.user_agent = "lazyvol/" LAZYVOL_VERSION;
  options.max_connections_per_host = std::max(1U, options.max_connections_per_host);
  options.max_connections_total =
      std::max(options.max_connections_total, options.max_connections_per_host);
  return options;
}

MultiHandle make_multi(const HttpEngineOptions& options) {
  static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
  MultiHandle multi(initialised == CURLE_OK ? curl_multi_init() : nullptr);
  if (!multi) throw std::bad_alloc();
  // The request queue admits no more than this. For libcurl it is the point where it closes idle
  // connections to make room.
  const long per_host = static_cast<long>(options.max_connections_per_host);
  const long total = static_cast<long>(options.max_connections_total);
  curl_multi_setopt(multi.get(), CURLMOPT_MAX_HOST_CONNECTIONS, per_host);
  curl_multi_setopt(multi.get(), CURLMOPT_MAX_TOTAL_CONNECTIONS, total);
  curl_multi_setopt(multi.get(), CURLMOPT_MAXCONNECTS, total);
  return multi;
}

/// Signals are for other threads; SIGPIPE, which OpenSSL's writes may raise, for none.
void block_all_signals() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

/// What submit() gives out.
class TransferHandle final : public Transfer {
 public:
  TransferHandle(std::shared_ptr<Mailbox> mailbox, std::uint64_t id)
      : mailbox_(std::move(mailbox)), id_(id) {}
  void resume() override {
    Command command{Command::Kind::resume, id_, nullptr};
    (void)mailbox_->post(command);  // refused when the engine is gone: nothing to resume
  }

 private:
  const std::shared_ptr<Mailbox> mailbox_;
  const std::uint64_t id_;
};

Error cancelled() {
  return {Code::cancelled, "cancelled"};
}

}  // namespace

class HttpEngine::Impl {
 public:
  explicit Impl(HttpEngineOptions options)
      : options_(with_defaults(std::move(options))),
        multi_(make_multi(options_)),
        mailbox_(std::make_shared<Mailbox>(multi_.get())),
        queue_(options_.max_connections_per_host, options_.max_connections_total,
               options_.first_connections_per_host),
        thread_([this] { run(); }) {}

  ~Impl() {
    mailbox_->request_stop();
    thread_.join();
  }

  std::shared_ptr<Transfer> submit(HttpRequest request, std::shared_ptr<HttpSink> sink);
  HttpStats stats() const;

 private:
  void run();
  void obey(std::vector<Command> commands);
  void accept(std::unique_ptr<PendingRequest> pending);
  void cancel(std::uint64_t id);
  void resume(std::uint64_t id);
  void enqueue(std::unique_ptr<PendingRequest> pending);
  void start_admitted();
  bool reap();
  bool expire();
  void wait();
  void stop();
  void finish(CurlTransfer& transfer, CURLcode code, std::optional<Error> reason = std::nullopt);
  void follow(std::unique_ptr<PendingRequest> pending, const std::string& location);
  void complete(std::unique_ptr<PendingRequest> pending, const Status& status);
  void update_gauges();

  // Constant.
  const HttpEngineOptions options_;
  SocketRegistry sockets_;   // the transfer thread's; before multi_, which closes them
  const MultiHandle multi_;  // its content belongs to the transfer thread
  const std::shared_ptr<Mailbox> mailbox_;

  // Self-synchronised.
  Counters counters_;
  std::atomic<std::uint64_t> next_id_{1};

  // The transfer thread's.
  EasyPool pool_;
  RequestQueue queue_;
  std::unordered_map<std::uint64_t, std::unique_ptr<CurlTransfer>> active_;
  Monotonic next_check_ = Monotonic::max();  ///< no deadline passes before this

  std::thread thread_;  // last: it uses all of the above
};

std::shared_ptr<Transfer> HttpEngine::Impl::submit(HttpRequest request,
                                                   std::shared_ptr<HttpSink> sink) {
  auto pending = std::make_unique<PendingRequest>();
  const std::uint64_t id = next_id_.fetch_add(1, std::memory_order_relaxed);
  pending->id = id;
  pending->request = std::move(request);
  pending->sink = std::move(sink);
  Command command{Command::Kind::submit, id, std::move(pending)};
  if (!mailbox_->post(command)) command.request->sink->on_done(cancelled());
  return std::make_shared<TransferHandle>(mailbox_, id);
}

HttpStats HttpEngine::Impl::stats() const {
  constexpr auto relaxed = std::memory_order_relaxed;
  HttpStats stats;
  stats.requests = counters_.requests.load(relaxed);
  stats.failures = counters_.failures.load(relaxed);
  stats.connections_opened = counters_.connections_opened.load(relaxed);
  stats.bytes_received = counters_.bytes_received.load(relaxed);
  stats.in_flight = counters_.in_flight.load(relaxed);
  stats.queued = counters_.queued.load(relaxed);
  stats.connections_allowed = counters_.connections_allowed.load(relaxed);
  return stats;
}

void HttpEngine::Impl::run() {
  base::name_this_thread("lv-net");
  block_all_signals();
  while (!mailbox_->stopping()) {
    obey(mailbox_->take());
    start_admitted();
    int running = 0;
    if (const CURLMcode code = curl_multi_perform(multi_.get(), &running); code != CURLM_OK) {
      base::log_error("curl_multi_perform: {}", curl_multi_strerror(code));
    }
    const bool reaped = reap();
    const bool expired = expire();
    update_gauges();
    if (!reaped && !expired) wait();  // else connections came free: admit first
  }
  stop();
}

void HttpEngine::Impl::obey(std::vector<Command> commands) {
  for (Command& command : commands) {
    switch (command.kind) {
      case Command::Kind::submit:
        accept(std::move(command.request));
        break;
      case Command::Kind::cancel:
        cancel(command.id);
        break;
      case Command::Kind::resume:
        resume(command.id);
        break;
    }
  }
}

void HttpEngine::Impl::accept(std::unique_ptr<PendingRequest> pending) {
  auto url = parse_http_url(pending->request.url);
  if (!url.ok()) return complete(std::move(pending), std::move(url).error());
  const std::stop_token& stop = pending->request.context.stop;
  if (stop.stop_requested()) return complete(std::move(pending), cancelled());
  if (stop.stop_possible()) {
    pending->on_stop = std::make_unique<std::stop_callback<std::function<void()>>>(
        stop, [mailbox = mailbox_, id = pending->id] {
          Command command{Command::Kind::cancel, id, nullptr};
          (void)mailbox->post(command);  // refused when the engine stops: all is cancelled then
        });
  }
  pending->first_origin = url->origin;
  pending->target = *std::move(url);
  enqueue(std::move(pending));
}

void HttpEngine::Impl::enqueue(std::unique_ptr<PendingRequest> pending) {
  const auto& range = pending->request.range;
  const bool bulk =
      (range && range->second >= kBulkBytes) || pending->request.content().size() >= kBulkBytes;
  pending->shareable = options_.http2 && pending->target.origin.tls() && !bulk;
  pending->queued_at = now();
  next_check_ =
      std::min(next_check_, no_progress_deadline(pending->queued_at, pending->request.context));
  queue_.push(std::move(pending));
}

void HttpEngine::Impl::cancel(std::uint64_t id) {
  if (auto waiting = queue_.remove(id)) return complete(std::move(waiting), cancelled());
  if (const auto it = active_.find(id); it != active_.end()) {
    finish(*it->second, CURLE_ABORTED_BY_CALLBACK, cancelled());
  }
}

void HttpEngine::Impl::resume(std::uint64_t id) {
  const auto it = active_.find(id);
  if (it == active_.end()) return;
  CurlTransfer& transfer = *it->second;
  const CURLcode code = transfer.resume();
  if (code != CURLE_OK) return finish(transfer, code);
  next_check_ = std::min(next_check_, transfer.deadline());
}

void HttpEngine::Impl::start_admitted() {
  while (auto pending = queue_.pop()) {
    counters_.requests.fetch_add(1, std::memory_order_relaxed);
    const std::uint64_t id = pending->id;
    pending->started_at = now();
    auto transfer = std::make_unique<CurlTransfer>(std::move(pending), pool_.take(), options_,
                                                   counters_, sockets_);
    Status status = transfer->prepare();
    if (status.ok() && curl_multi_add_handle(multi_.get(), transfer->easy()) != CURLM_OK) {
      status = Error{Code::out_of_memory, "out of memory"};
    }
    if (!status.ok()) {
      queue_.release(transfer->pending());
      complete(transfer->take_pending(), status);
      continue;
    }
    next_check_ = std::min(next_check_, transfer->deadline());
    active_.emplace(id, std::move(transfer));
  }
}

/// Ends what libcurl says has ended. True when there was any.
bool HttpEngine::Impl::reap() {
  bool any = false;
  int left = 0;
  while (CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;  // `message` dies with the handle's removal
    void* transfer = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
    finish(*static_cast<CurlTransfer*>(transfer), code);
    any = true;
  }
  return any;
}

/// Ends what has been silent for too long. True when there was any.
bool HttpEngine::Impl::expire() {
  const Monotonic at = now();
  if (at < next_check_) return false;
  next_check_ = Monotonic::max();
  std::vector<CurlTransfer*> silent;
  for (const auto& [id, transfer] : active_) {
    queue_.note_progress(transfer->pending().target.origin, transfer->last_progress());
    if (transfer->deadline() <= at)
      silent.push_back(transfer.get());
    else
      next_check_ = std::min(next_check_, transfer->deadline());
  }
  auto waited = queue_.take_expired(at);
  next_check_ = std::min(next_check_, queue_.next_expiry());
  for (CurlTransfer* transfer : silent) {
    const PendingRequest& pending = transfer->pending();
    // When other responses flow, the connection is alive and only this answer is late.
    const Monotonic last = queue_.last_progress(pending.target.origin);
    const bool dead = no_progress_deadline(last, pending.request.context) <= at;
    if (dead && pending.shareable) sockets_.break_shareable(pending.target.origin);
    finish(*transfer, CURLE_OPERATION_TIMEDOUT,
           Error{Code::timed_out,
                 fmt::format("host '{}': nothing came for {} ms", pending.target.origin.host,
                             pending.request.context.no_progress.count())});
  }
  for (auto& pending : waited) {
    Error error{Code::timed_out,
                fmt::format("host '{}': waited {} ms for a connection", pending->target.origin.host,
                            pending->request.context.no_progress.count())};
    complete(std::move(pending), error);
  }
  return !silent.empty() || !waited.empty();
}

void HttpEngine::Impl::wait() {
  using std::chrono::milliseconds;
  constexpr milliseconds kLongest(60'000);
  milliseconds timeout = kLongest;
  if (next_check_ != Monotonic::max()) {
    const auto until = std::chrono::ceil<milliseconds>(next_check_ - now());
    timeout = std::clamp(until, milliseconds(0), kLongest);
  }
  const CURLMcode code =
      curl_multi_poll(multi_.get(), nullptr, 0, static_cast<int>(timeout.count()), nullptr);
  if (code != CURLM_OK) base::log_error("curl_multi_poll: {}", curl_multi_strerror(code));
}

/// Takes `transfer` down and tells its sink, or sends the request on to where it was redirected.
/// `reason` is ours for ending it; without it `code` is libcurl's.
void HttpEngine::Impl::finish(CurlTransfer& transfer, CURLcode code, std::optional<Error> reason) {
  const auto owner = active_.extract(transfer.pending().id);
  long opened = 0;
  curl_easy_getinfo(transfer.easy(), CURLINFO_NUM_CONNECTS, &opened);
  counters_.connections_opened.fetch_add(static_cast<std::uint64_t>(opened),
                                         std::memory_order_relaxed);
  const Origin& origin = transfer.pending().target.origin;
  queue_.note_progress(origin, transfer.last_progress());
  if (code == CURLE_OK && transfer.pending().shareable) {
    queue_.note_http2(origin, transfer.over_http2());
  }
  queue_.note_outcome(origin, transfer.load(now(), code));
  const Status status = reason ? Status(*std::move(reason)) : transfer.outcome(code);
  // libcurl 7.88 leaves a handle that failed early or shared an HTTP/2 connection with its buffer,
  // whose size can then not be set any more.
  const bool reusable = code == CURLE_OK && !transfer.over_http2();
  transfer.drop_held();
  curl_multi_remove_handle(multi_.get(), transfer.easy());
  if (reusable) pool_.give(transfer.take_easy());
  queue_.release(transfer.pending());
  if (status.ok() && transfer.redirect()) {
    follow(transfer.take_pending(), *transfer.redirect());
  } else {
    complete(transfer.take_pending(), status);
  }
}

void HttpEngine::Impl::follow(std::unique_ptr<PendingRequest> pending,
                              const std::string& location) {
  if (++pending->redirects > kMaxRedirects) {
    Error error{Code::io_error, fmt::format("{}: more than {} redirects",
                                            redact_url(pending->request.url), kMaxRedirects)};
    return complete(std::move(pending), error);
  }
  auto target = resolve_redirect(pending->target, location);
  if (!target.ok()) return complete(std::move(pending), std::move(target).error());
  pending->target = *std::move(target);
  enqueue(std::move(pending));
}

void HttpEngine::Impl::complete(std::unique_ptr<PendingRequest> pending, const Status& status) {
  pending->on_stop.reset();
  if (!status.ok()) counters_.failures.fetch_add(1, std::memory_order_relaxed);
  update_gauges();  // so that who is told sees itself gone
  pending->sink->on_done(status);
}

void HttpEngine::Impl::update_gauges() {
  counters_.in_flight.store(active_.size(), std::memory_order_relaxed);
  counters_.queued.store(queue_.waiting(), std::memory_order_relaxed);
  counters_.connections_allowed.store(queue_.widest(), std::memory_order_relaxed);
}

/// Cancels everything. Sinks may submit more while this goes on, until the mailbox is closed.
void HttpEngine::Impl::stop() {
  obey(mailbox_->take());
  for (auto& pending : queue_.take_all()) complete(std::move(pending), cancelled());
  while (!active_.empty()) {
    finish(*active_.begin()->second, CURLE_ABORTED_BY_CALLBACK, cancelled());
  }
  for (Command& command : mailbox_->close()) {
    if (command.request) complete(std::move(command.request), cancelled());
  }
  // A resumed transfer may have been redirected meanwhile.
  for (auto& pending : queue_.take_all()) complete(std::move(pending), cancelled());
}

HttpEngine::HttpEngine(HttpEngineOptions options)
    : impl_(std::make_unique<Impl>(std::move(options))) {}

HttpEngine::~HttpEngine() = default;

std::shared_ptr<Transfer> HttpEngine::submit(HttpRequest request, std::shared_ptr<HttpSink> sink) {
  return impl_->submit(std::move(request), std::move(sink));
}

HttpStats HttpEngine::stats() const {
  return impl_->stats();
}

}  // namespace lazyvol::net
