#include "source/http_read.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "net/redact.h"
#include "net/retry.h"
#include "source/forwarding_transfer.h"
#include "source/http_version.h"
#include "source/paths.h"

namespace lazyvol::source {
namespace {

// Called on the transfer thread only, except for the construction and for send().
class HttpRead : public net::HttpSink, public std::enable_shared_from_this<HttpRead> {
 public:
  HttpRead(std::shared_ptr<HttpSite> site, std::string url, ReadRequest request,
           std::shared_ptr<ReadSink> sink, const RequestContext& ctx)
      : site_(std::move(site)),
        url_(std::move(url)),
        request_(std::move(request)),
        sink_(std::move(sink)),
        ctx_(ctx),
        transfer_(std::make_shared<ForwardingTransfer>()) {}

  const std::shared_ptr<ForwardingTransfer>& transfer() const { return transfer_; }

  void send() {
    auto request = site_->request(net::HttpRequest::Method::get, url_, ctx_);
    request.range = {request_.offset, length_to_ask()};
    if (auto condition = condition_for(request_.validator)) {
      request.headers.push_back(*std::move(condition));
    }
    sent_as_ = request.identity;
    transfer_->expect_next();
    transfer_->set(site_->submit(std::move(request), shared_from_this()));
  }

  Flow on_head(const net::HttpHead& head) override {
    const bool refused = head.status == 401 || head.status == 403;
    if (refused && !asked_again_) {
      ask_again_ = true;
      return Flow::abort;
    }
    auto start = check(head);
    if (!start.ok()) {
      error_ = std::move(start).error();
      return Flow::abort;
    }
    promised_ = start->length;
    return sink_->on_start(*start);
  }

  Flow on_data(std::span<const std::byte> data) override {
    if (data.size() > promised_ - received_) {
      error_ = Error{Code::io_error, what() + ": more bytes than announced"};
      return Flow::abort;
    }
    received_ += data.size();
    return sink_->on_data(data);
  }

  void on_done(Status status) override {
    if (ask_again_ && !ctx_.stop.stop_requested()) {
      ask_again_ = false;
      asked_again_ = true;
      return refresh_and_send();
    }
    if (error_) status = *error_;
    if (status.ok() && received_ != promised_) {
      status = Error{Code::io_error, what() + ": broken off"};
    }
    sink_->on_done(std::move(status));
  }

 private:
  std::string what() const { return "GET " + net::redact_url(url_); }

  // Not past the end that the version has: some servers answer 416 to that.
  std::uint64_t length_to_ask() const {
    const auto size = size_in_validator(request_.validator);
    return size ? std::min(request_.length, *size - request_.offset) : request_.length;
  }

  // The file of credentials is read on the pool: the transfer thread does not wait for disks.
  void refresh_and_send() {
    const bool taken = site_->environment().blocking.submit([self = shared_from_this()] {
      self->site_->credentials().reload();
      if (self->ctx_.stop.stop_requested()) {
        return self->sink_->on_done(Error{Code::cancelled, "cancelled"});
      }
      const auto now = self->site_->credentials().current();
      const bool changed =
          now && self->sent_as_ ? !(*now == *self->sent_as_) : now != self->sent_as_;
      if (changed) return self->send();
      self->sink_->on_done(Error{Code::access_denied, self->what() + ": access denied"});
    });
    if (!taken) sink_->on_done(Error{Code::cancelled, "shutting down"});
  }

  Error failed(Code code, std::string_view why) const {
    return Error{code, fmt::format("{}: {}", what(), why)};
  }

  Result<ReadStart> check(const net::HttpHead& head) {
    if (head.status >= 400) return net::http_status_error(head, what());
    if (head.status != 200 && head.status != 206) {
      return failed(Code::io_error, fmt::format("unexpected status {}", head.status));
    }
    if (redirected_to_directory(url_, head.effective_url)) {
      return failed(request_.validator.empty() ? Code::is_directory : Code::stale,
                    "a directory now");
    }
    if (!site_->keeps_encodings() && !is_identity(head.headers, last_component(request_.path))) {
      return failed(Code::io_error, "the server sends the file in an encoding nobody asked for");
    }
    LAZYVOL_TRY_ASSIGN(ReadStart start, head.status == 206 ? check_part(head) : check_whole(head));
    const HttpVersion version(head.headers, start.total_size, local_now_s());
    if (!version.same_form_as_listing() || !same_origin(url_, head.effective_url)) {
      site_->distrust_listings();
    }
    if (!version.is(request_.validator)) return failed(Code::stale, "the file has changed");
    start.validator = request_.validator.empty() ? version.validator() : request_.validator;
    return start;
  }

  Result<ReadStart> check_whole(const net::HttpHead& head) const {
    const auto size = content_length(head.headers);
    if (!size) return failed(Code::unsupported, "the server does not say how long the file is");
    return ReadStart{{}, 0, *size, *size};
  }

  Result<ReadStart> check_part(const net::HttpHead& head) const {
    const auto* type = head.headers.find("content-type");
    if (type != nullptr && type->starts_with("multipart/")) {
      return failed(Code::io_error, "several parts in answer to one range");
    }
    const auto range = content_range(head.headers);
    if (!range) return failed(Code::io_error, "a part without a usable Content-Range");
    const std::uint64_t length = range->last - range->first + 1;
    const bool fits = range->first == request_.offset &&
                      length == std::min(length_to_ask(), range->total - range->first);
    // A shorter file answers with less than was asked for; that is for the version check to say.
    const bool other_size =
        size_in_validator(request_.validator).value_or(range->total) != range->total;
    if (other_size) return failed(Code::stale, "the file has another size now");
    if (!fits) return failed(Code::io_error, "another range than was asked for");
    return ReadStart{{}, range->first, length, range->total};
  }

  const std::shared_ptr<HttpSite> site_;
  const std::string url_;
  const ReadRequest request_;
  const std::shared_ptr<ReadSink> sink_;
  const RequestContext ctx_;
  const std::shared_ptr<ForwardingTransfer> transfer_;
  std::shared_ptr<const net::HttpIdentity> sent_as_;
  std::optional<Error> error_;
  std::uint64_t promised_ = 0, received_ = 0;
  bool ask_again_ = false, asked_again_ = false;
};

}  // namespace

std::shared_ptr<Transfer> start_http_read(std::shared_ptr<HttpSite> site, std::string url,
                                          ReadRequest request, std::shared_ptr<ReadSink> sink,
                                          const RequestContext& ctx) {
  const auto size = size_in_validator(request.validator);
  if (request.length == 0) {
    sink->on_done(Error{Code::invalid_argument, "a read of no bytes"});
    return std::make_shared<ForwardingTransfer>();
  }
  if (size && request.offset >= *size) {
    // Nothing lies there in this version, whether or not the server still has it.
    const Flow flow = sink->on_start({request.validator, request.offset, 0, *size});
    sink->on_done(flow == Flow::abort ? Status(Error{Code::cancelled, "cancelled"}) : Status());
    return std::make_shared<ForwardingTransfer>();
  }
  auto read = std::make_shared<HttpRead>(std::move(site), std::move(url), std::move(request),
                                         std::move(sink), ctx);
  read->send();
  return read->transfer();
}

}  // namespace lazyvol::source
