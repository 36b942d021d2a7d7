#include "net/curl_transfer.h"

#include <fmt/core.h>

#include "net/redact.h"
#include "net/transfer_error.h"

namespace lazyvol::net {
namespace {

base::Monotonic now() {
  return base::system_clock().now();
}

std::string host_label(const Origin& origin) {
  const bool usual = origin.port == (origin.tls() ? 443 : 80);
  return usual ? origin.host : fmt::format("{}:{}", origin.host, origin.port);
}

/// Statuses that name another place for the same request (RFC 9110 15.4).
bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

}  // namespace

CurlTransfer::CurlTransfer(std::unique_ptr<PendingRequest> pending, EasyHandle easy,
                           const HttpEngineOptions& options, Counters& counters,
                           SocketRegistry& sockets)
    : pending_(std::move(pending)),
      easy_(std::move(easy)),
      options_(options),
      counters_(counters),
      sockets_(sockets),
      quiet_since_(now()) {}

base::Monotonic CurlTransfer::deadline() const {
  if (paused_) return base::Monotonic::max();
  return no_progress_deadline(quiet_since_, pending_->request.context);
}

base::Monotonic CurlTransfer::last_progress() const {
  return paused_ ? now() : last_byte_;
}

Status CurlTransfer::fail(Code code, std::string_view what) {
  failure_ = Error{code, fmt::format("{}: {}", redact_url(pending_->target.text), what)};
  return *failure_;
}

std::size_t CurlTransfer::header_callback(char* data, std::size_t size, std::size_t count,
                                          void* self) {
  return static_cast<CurlTransfer*>(self)->on_header({data, size * count});
}

std::size_t CurlTransfer::write_callback(char* data, std::size_t size, std::size_t count,
                                         void* self) {
  return static_cast<CurlTransfer*>(self)->on_data(std::as_bytes(std::span(data, size * count)));
}

// A server that takes a body is not silent, however long that lasts.
int CurlTransfer::progress_callback(void* self, curl_off_t, curl_off_t, curl_off_t,
                                    curl_off_t sent) {
  auto* transfer = static_cast<CurlTransfer*>(self);
  if (sent > transfer->sent_) {
    transfer->sent_ = sent;
    transfer->quiet_since_ = transfer->last_byte_ = now();
  }
  return 0;
}

curl_socket_t CurlTransfer::open_socket_callback(void* self, curlsocktype /*purpose*/,
                                                 curl_sockaddr* address) {
  auto* transfer = static_cast<CurlTransfer*>(self);
  return transfer->sockets_.open(*address, transfer->pending_->target.origin,
                                 transfer->pending_->shareable);
}

std::size_t CurlTransfer::on_header(std::string_view line) {
  quiet_since_ = last_byte_ = now();
  switch (parser_.feed(line)) {
    case HeaderParser::Event::more:
      return line.size();
    case HeaderParser::Event::complete:
      return on_head_complete() ? line.size() : CURL_WRITEFUNC_ERROR;
    case HeaderParser::Event::malformed:
      (void)fail(Code::io_error, "what came is not an HTTP response");
      return CURL_WRITEFUNC_ERROR;
    case HeaderParser::Event::too_large:
      (void)fail(Code::too_large,
                 fmt::format("more than {} KiB of header fields", kMaxHeaderBytes / 1024));
      return CURL_WRITEFUNC_ERROR;
  }
  return CURL_WRITEFUNC_ERROR;
}

/// False to end the transfer.
bool CurlTransfer::on_head_complete() {
  HttpHead& head = parser_.head();
  const std::string* location = head.headers.find("location");
  const bool follow = pending_->request.follow_redirects;
  if (follow && is_redirect(head.status) && location != nullptr) {
    redirect_ = *location;
    return true;
  }
  head.effective_url = pending_->target.text;
  return proceed_after(pending_->sink->on_head(head));
}

bool CurlTransfer::proceed_after(Flow flow) {
  if (flow == Flow::pause) paused_ = true;
  if (flow == Flow::abort) (void)fail(Code::cancelled, "cancelled by the receiver");
  return flow != Flow::abort;
}

std::size_t CurlTransfer::on_data(std::span<const std::byte> data) {
  // Longer bodies of redirects are not worth reading for the sake of keeping the connection.
  constexpr std::size_t kMaxRedirectBody = 64 * 1024;
  if (dropping_) return data.size();
  quiet_since_ = last_byte_ = now();
  if (redirect_) {
    redirect_body_ += data.size();
    return redirect_body_ > kMaxRedirectBody ? CURL_WRITEFUNC_ERROR : data.size();
  }
  if (paused_) {  // libcurl keeps these bytes and gives them again
    held_ = true;
    return CURL_WRITEFUNC_PAUSE;
  }
  counters_.bytes_received.fetch_add(data.size(), std::memory_order_relaxed);
  return proceed_after(pending_->sink->on_data(data)) ? data.size() : CURL_WRITEFUNC_ERROR;
}

CURLcode CurlTransfer::resume() {
  if (!paused_) return CURLE_OK;
  paused_ = false;
  quiet_since_ = now();
  if (!held_) return CURLE_OK;
  held_ = false;  // before the call: it may deliver, and the sink may pause again
  return curl_easy_pause(easy_.get(), CURLPAUSE_CONT);
}

void CurlTransfer::drop_held() {
  if (!held_) return;
  dropping_ = true;
  (void)curl_easy_pause(easy_.get(), CURLPAUSE_CONT);
}

Status CurlTransfer::outcome(CURLcode code) {
  if (redirect_) return {};
  if (failure_) return *failure_;
  if (code == CURLE_OK && parser_.complete()) return {};
  if (code == CURLE_OK) return fail(Code::io_error, "the response has no end of its head");
  long os_errno = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_OS_ERRNO, &os_errno);
  return transfer_error(code, host_label(pending_->target.origin), reason_.data(), os_errno);
}

Concurrency::Outcome CurlTransfer::load(base::Monotonic ended, CURLcode code) const {
  long status = 0;
  curl_off_t bytes = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(easy_.get(), CURLINFO_SIZE_DOWNLOAD_T, &bytes);
  Concurrency::Outcome outcome;
  outcome.started = pending_->started_at;
  outcome.ended = ended;
  outcome.bytes = static_cast<std::uint64_t>(bytes);
  outcome.overloaded = status == 429 || status == 503 || code == CURLE_OPERATION_TIMEDOUT;
  return outcome;
}

bool CurlTransfer::over_http2() const {
  long version = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_HTTP_VERSION, &version);
  return version >= CURL_HTTP_VERSION_2_0;
}

}  // namespace lazyvol::net
