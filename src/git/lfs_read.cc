#include "git/lfs_read.h"

#include <fmt/core.h>

#include <utility>

#include "net/redact.h"
#include "net/retry.h"
#include "source/http_version.h"

namespace lazyvol::git {

LfsRead::LfsRead(LfsAction action, std::shared_ptr<const net::HttpIdentity> identity,
                 const ReadRequest& request, std::uint64_t size, std::shared_ptr<ReadSink> sink,
                 Refused refused)
    : action_(std::move(action)),
      identity_(std::move(identity)),
      offset_(request.offset),
      length_(request.length),
      size_(size),
      sink_(std::move(sink)),
      refused_(std::move(refused)) {}

void LfsRead::start(net::HttpEngine& engine, const RequestContext& ctx,
                    const std::shared_ptr<source::ForwardingTransfer>& transfer) {
  net::HttpRequest request;
  request.url = action_.url;
  request.headers = action_.headers;
  request.headers_are_secret = true;
  request.range = {offset_, length_};
  request.identity = identity_;
  request.context = ctx;
  transfer->expect_next();
  transfer->set(engine.submit(std::move(request), shared_from_this()));
}

std::string LfsRead::what() const {
  return "GET " + net::redact_url(action_.url);
}

Result<ReadStart> LfsRead::check(const net::HttpHead& head) const {
  if (head.status >= 400) return net::http_status_error(head, what());
  if (!source::is_identity(head.headers, "")) {
    return Error{Code::io_error, what() + ": the server sends the object in an encoding"};
  }
  if (head.status == 206) {
    const auto range = source::content_range(head.headers);
    const bool fits =
        range && (range->total != size_ ||
                  (range->first == offset_ && range->last - range->first + 1 == length_));
    if (!fits) return Error{Code::io_error, what() + ": another range than was asked for"};
    return ReadStart{{}, offset_, length_, range->total};
  }
  if (head.status != 200) {
    return Error{Code::io_error, fmt::format("{}: unexpected status {}", what(), head.status)};
  }
  const auto size = source::content_length(head.headers);
  // Chunked: it is what it is when it has come.
  return ReadStart{{}, 0, size.value_or(size_), size.value_or(size_)};
}

Flow LfsRead::on_head(const net::HttpHead& head) {
  is_refused_ = head.status == 400 || head.status == 401 || head.status == 403 ||
                head.status == 404 || head.status == 410;
  auto start = check(head);
  if (!start.ok()) {
    error_ = std::move(start).error();
    return Flow::abort;
  }
  promised_ = start->length;
  return sink_->on_start(*start);
}

Flow LfsRead::on_data(std::span<const std::byte> data) {
  if (data.size() > promised_ - received_) {
    error_ = Error{Code::corrupt, what() + ": more bytes than announced"};
    return Flow::abort;
  }
  received_ += data.size();
  return sink_->on_data(data);
}

void LfsRead::on_done(Status status) {
  if (error_) status = *error_;
  if (is_refused_ && error_) return refused_(*std::move(error_));
  if (status.ok() && received_ != promised_) {
    status = Error{Code::io_error, what() + ": broken off"};
  }
  sink_->on_done(std::move(status));
}

}  // namespace lazyvol::git
