#include "source/http_stat.h"

#include <fmt/core.h>

#include <optional>
#include <utility>

#include "net/redact.h"
#include "net/retry.h"
#include "source/http_version.h"
#include "source/paths.h"

namespace lazyvol::source {
namespace {

using Done = std::function<void(Result<HttpStat>)>;

constexpr std::uint64_t kMaxHeadBody = 64 * 1024;  // a HEAD has none; error pages are passed over

struct Question {
  std::shared_ptr<HttpSite> site;
  std::string url, path;
};

// The length of the whole object that `head` is about.
std::optional<std::uint64_t> total_size(const net::HttpHead& head) {
  if (head.status == 206) {
    const auto range = content_range(head.headers);
    return range ? std::optional(range->total) : std::nullopt;
  }
  if (head.status == 416) {
    // An empty file cannot satisfy any range; the answer says so and describes it all the same.
    const auto* range = head.headers.find("content-range");
    return range != nullptr && *range == "bytes */0" ? std::optional<std::uint64_t>(0)
                                                     : std::nullopt;
  }
  return head.status < 300 ? content_length(head.headers) : std::nullopt;
}

Result<HttpStat> describe(const Question& question, const net::HttpHead& head) {
  HttpStat stat;
  stat.effective_url = head.effective_url;
  stat.entry.name = last_component(question.path);
  if (question.url.ends_with('/') || redirected_to_directory(question.url, head.effective_url)) {
    stat.entry.type = NodeType::directory;
    return stat;
  }
  const std::string shown = net::redact_url(question.url);
  if (!question.site->keeps_encodings() && !is_identity(head.headers, stat.entry.name)) {
    return Error{Code::io_error, shown + ": the server insists on a content encoding"};
  }
  const auto size = total_size(head);
  if (!size) {
    return Error{Code::unsupported, shown + ": the server does not say how long the file is"};
  }
  const HttpVersion version(head.headers, *size, local_now_s());
  if (!version.same_form_as_listing() || !same_origin(question.url, head.effective_url)) {
    question.site->distrust_listings();
  }
  stat.entry.size = *size;
  if (version.mtime_s()) stat.entry.mtime_ns = *version.mtime_s() * 1'000'000'000;
  stat.entry.validator = version.validator();
  stat.entry.settled = version.settled();
  return stat;
}

// Takes the head of one response and gives up the rest.
class HeadOfGet : public net::HttpSink {
 public:
  HeadOfGet(Question question, Done done)
      : question_(std::move(question)), done_(std::move(done)) {}

  Flow on_head(const net::HttpHead& head) override {
    const bool refused = head.status >= 400 && !total_size(head);
    answer_ = refused
                  ? net::http_status_error(head.status, "GET " + net::redact_url(question_.url), {})
                  : describe(question_, head);
    return Flow::abort;
  }
  Flow on_data(std::span<const std::byte>) override { return Flow::abort; }
  void on_done(Status status) override {
    if (answer_) return done_(*std::move(answer_));
    done_(status.ok() ? Error{Code::io_error, "a response without a head"} : status.error());
  }

 private:
  const Question question_;
  const Done done_;
  std::optional<Result<HttpStat>> answer_;
};

}  // namespace

void http_stat(const std::shared_ptr<HttpSite>& site, std::string url, std::string path,
               RequestContext ctx, Done done) {
  Question question{site, std::move(url), std::move(path)};
  auto head = site->request(net::HttpRequest::Method::head, question.url, ctx);
  site->fetch(std::move(head), kMaxHeadBody,
              [question = std::move(question), ctx = std::move(ctx),
               done = std::move(done)](Result<net::HttpBody> body) {
                if (body.ok()) {
                  auto stat = describe(question, body->head);
                  if (stat.ok() || stat.error().code != Code::unsupported) return done(stat);
                } else if (body.error().code != Code::invalid_argument) {
                  return done(body.error());
                }
                // HEAD is refused (400, 405, 501), or answered without a length (Apache does that
                // to an empty file).
                auto get = question.site->request(net::HttpRequest::Method::get, question.url, ctx);
                get.range = {0, 1};
                (void)question.site->submit(std::move(get),
                                            std::make_shared<HeadOfGet>(question, done));
              });
}

}  // namespace lazyvol::source
