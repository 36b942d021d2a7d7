#include "source/s3_exchange.h"

#include <fmt/core.h>

#include <utility>

#include "net/redact.h"
#include "net/sigv4.h"
#include "source/forwarding_transfer.h"
#include "source/pending.h"
#include "source/s3_error.h"

namespace lazyvol::source {
namespace {

using Method = net::HttpRequest::Method;
using Keys = net::AwsCredentials::Keys;

constexpr std::size_t kMaxPage = 64 * 1024;

// Its steps follow each other, each on the thread that brought what it waited for: the transfer
// thread, or one of the pool after looking for keys.
class S3Exchange : public net::HttpSink, public std::enable_shared_from_this<S3Exchange> {
 public:
  S3Exchange(std::shared_ptr<S3Site> site, net::HttpRequest request,
             std::shared_ptr<net::HttpSink> sink)
      : site_(std::move(site)),
        request_(std::move(request)),
        sink_(std::move(sink)),
        transfer_(std::make_shared<ForwardingTransfer>()) {}

  const std::shared_ptr<ForwardingTransfer>& transfer() const { return transfer_; }

  void start() {
    if (auto keys = site_->keys().ready()) return send(*std::move(keys));
    wait_for_keys([this](net::AwsCredentials::Done done) { site_->keys().get(std::move(done)); },
                  [](S3Exchange& self, Keys keys) { self.send(std::move(keys)); });
  }

  Flow on_head(const net::HttpHead& head) override {
    head_ = head;
    if (accepted() && !explaining_) return sink_->on_head(head);
    return accepted() ? Flow::abort : Flow::proceed;
  }

  Flow on_data(std::span<const std::byte> data) override {
    if (accepted() && !explaining_) return sink_->on_data(data);
    if (page_.size() + data.size() > kMaxPage) return Flow::abort;
    page_.append(reinterpret_cast<const char*>(data.data()), data.size());
    return Flow::proceed;
  }

  void on_done(Status status) override {
    const bool passed_on = accepted() && !explaining_;
    if (!passed_on && request_.context.stop.stop_requested()) {
      return finish(Error{Code::cancelled, "cancelled"});
    }
    if (explaining_ && (head_.status == 0 || accepted())) return finish(*unexplained_);
    if (head_.status == 0 || passed_on) return sink_->on_done(std::move(status));
    refused();
  }

 private:
  bool accepted() const { return head_.status >= 200 && head_.status < 300; }

  template <class Ask, class Then>
  void wait_for_keys(Ask ask, Then then) {
    const auto pending = Pending<Keys>::make(
        site_->environment().timer, request_.context,
        [self = shared_from_this(), then](Result<Keys> keys) {
          if (keys.ok()) return then(*self, *std::move(keys));
          if (keys.error().code == Code::access_denied) self->site_->complain(keys.error());
          const bool late = keys.error().code == Code::timed_out;
          self->finish(late ? keys.error().in("looking for AWS keys") : keys.error());
        });
    ask([pending](Result<Keys> keys) { pending->answer(std::move(keys)); });
  }

  void send(Keys keys) {
    keys_ = std::move(keys);
    head_ = {};
    page_.clear();
    region_ = site_->region();
    net::HttpRequest request = request_;
    request.url = site_->address().origin(region_) + resource();
    if (explaining_) {
      request.method = Method::get;
      request.range = {0, 1};
    }
    if (keys_) {
      const auto status = net::sign(request, *keys_, {region_, "s3"}, local_now_s());
      if (!status.ok()) return finish(status.error());
    }
    transfer_->expect_next();
    transfer_->set(site_->environment().http.submit(std::move(request), shared_from_this()));
  }

  // The URL without scheme and host: what stays when the region changes.
  std::string resource() const {
    const std::size_t host = request_.url.find("://") + 3;
    return request_.url.substr(request_.url.find('/', host));
  }

  std::string what() const {
    return fmt::format("{} {}", net::method_name(request_.method), net::redact_url(request_.url));
  }

  void refused() {
    S3Refusal refusal = read_s3_refusal(head_, page_, what(), local_now_s());
    if (!moved_ && site_->move(region_, refusal.region)) {
      moved_ = true;
      explaining_ = false;
      return send(keys_);
    }
    if (refusal.unexplained && request_.method == Method::head && !explaining_) {
      unexplained_ = refusal.error;
      explaining_ = true;
      return send(keys_);
    }
    if (refusal.keys_refused && !renewed_) return renew(std::move(refusal.error));
    if (refusal.error.code == Code::access_denied) site_->complain(refusal.error);
    finish(std::move(refusal.error));
  }

  void renew(Error error) {
    renewed_ = true;
    explaining_ = false;
    wait_for_keys(
        [this](net::AwsCredentials::Done done) { site_->keys().renew(keys_, std::move(done)); },
        [error = std::move(error)](S3Exchange& self, Keys keys) {
          if (keys != self.keys_) return self.send(std::move(keys));
          self.site_->complain(error);
          self.finish(error);
        });
  }

  void finish(Error error) { sink_->on_done(std::move(error)); }

  const std::shared_ptr<S3Site> site_;
  const net::HttpRequest request_;
  const std::shared_ptr<net::HttpSink> sink_;
  const std::shared_ptr<ForwardingTransfer> transfer_;
  Keys keys_;
  std::string region_;  // of the attempt under way
  net::HttpHead head_;
  std::string page_;  // why it was refused
  std::optional<Error> unexplained_;
  bool explaining_ = false, renewed_ = false, moved_ = false;
};

}  // namespace

std::shared_ptr<Transfer> start_s3_exchange(std::shared_ptr<S3Site> site, net::HttpRequest request,
                                            std::shared_ptr<net::HttpSink> sink) {
  auto exchange =
      std::make_shared<S3Exchange>(std::move(site), std::move(request), std::move(sink));
  exchange->start();
  return exchange->transfer();
}

}  // namespace lazyvol::source
