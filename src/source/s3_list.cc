#include "source/s3_list.h"

#include <fmt/core.h>

#include <functional>
#include <utility>

#include "source/paths.h"
#include "source/s3_listing.h"

namespace lazyvol::source {
namespace {

// Parsing more than this on the transfer thread would hold up every other request.
constexpr std::size_t kParseInline = 64 * 1024;
// A service that gives nearly empty pages for ever is not waited for.
constexpr std::size_t kMaxPages = 100'000;

using PageDone = std::function<void(Result<S3Page>)>;

net::Query query_for(const std::string& prefix) {
  return {{"list-type", "2"}, {"encoding-type", "url"}, {"prefix", prefix}};
}

// An error of a request names its URL already.
Error in_listing(const S3Site& site, const std::string& prefix, const Error& error) {
  if (error.code != Code::corrupt && error.code != Code::too_large) return error;
  return error.in(fmt::format("{}: listing '{}'", site.address().display(), printable(prefix)));
}

void fetch_page(const std::shared_ptr<S3Site>& site, const net::Query& query,
                const RequestContext& ctx, PageDone done) {
  auto request = site->request(net::HttpRequest::Method::get, site->list_url(query), ctx);
  site->fetch(std::move(request), kMaxS3Page,
              [site, done = std::move(done)](Result<net::HttpBody> body) {
                if (!body.ok()) return done(body.error());
                if (body->bytes.size() <= kParseInline) return done(parse_s3_page(body->bytes));
                auto shared = std::make_shared<net::HttpBody>(*std::move(body));
                const bool taken = site->environment().blocking.submit(
                    [shared, done] { done(parse_s3_page(shared->bytes)); });
                if (!taken) done(Error{Code::cancelled, "shutting down"});
              });
}

// Pages follow each other: only one thread at a time is here.
class Listed : public std::enable_shared_from_this<Listed> {
 public:
  Listed(std::shared_ptr<S3Site> site, std::string prefix, const RequestContext& ctx,
         Source::ListDone done)
      : site_(std::move(site)),
        prefix_(std::move(prefix)),
        ctx_(ctx),
        done_(std::move(done)),
        builder_(prefix_, local_now_s()) {}

  void next() {
    if (ctx_.stop.stop_requested()) return done_(Error{Code::cancelled, "cancelled"});
    net::Query query = query_for(prefix_);
    query.emplace_back("delimiter", "/");
    if (!token_.empty()) query.emplace_back("continuation-token", token_);
    if (site_->page_keys() > 0) {
      query.emplace_back("max-keys", std::to_string(site_->page_keys()));
    }
    fetch_page(site_, query, ctx_,
               [self = shared_from_this()](Result<S3Page> page) { self->take(std::move(page)); });
  }

 private:
  void take(Result<S3Page> page) {
    if (!page.ok()) return failed(page.error());
    const std::string token = page->next_token;
    if (auto status = builder_.add(*std::move(page)); !status.ok()) return failed(status.error());
    if (token.empty()) return finish();
    if (token == token_ || ++pages_ >= kMaxPages) {
      return failed(Error{Code::corrupt, "the service's pages have no end"});
    }
    token_ = token;
    next();
  }

  void failed(const Error& error) { done_(in_listing(*site_, prefix_, error)); }

  void finish() {
    if (builder_.exists() || prefix_.empty()) return done_(std::move(builder_).finish());
    const std::string key = prefix_.substr(0, prefix_.size() - 1);
    first_s3_key(site_, key, ctx_, [self = shared_from_this(), key](Result<std::string> first) {
      if (!first.ok()) return self->done_(first.error());
      if (*first == key)
        return self->done_(Error{Code::not_directory, printable(key) + " is a file"});
      self->done_(Error{Code::not_found,
                        fmt::format("{}: no object below '{}'", self->site_->address().display(),
                                    printable(self->prefix_))});
    });
  }

  const std::shared_ptr<S3Site> site_;
  const std::string prefix_;
  const RequestContext ctx_;
  const Source::ListDone done_;
  S3DirectoryBuilder builder_;
  std::string token_;
  std::size_t pages_ = 0;
};

}  // namespace

void list_s3(const std::shared_ptr<S3Site>& site, std::string prefix, const RequestContext& ctx,
             Source::ListDone done) {
  std::make_shared<Listed>(site, std::move(prefix), ctx, std::move(done))->next();
}

void first_s3_key(const std::shared_ptr<S3Site>& site, const std::string& prefix,
                  const RequestContext& ctx, std::function<void(Result<std::string>)> done) {
  net::Query query = query_for(prefix);
  query.emplace_back("max-keys", "1");
  fetch_page(site, query, ctx, [site, prefix, done = std::move(done)](Result<S3Page> page) {
    if (!page.ok()) return done(in_listing(*site, prefix, page.error()));
    done(page->objects.empty() ? std::string() : page->objects.front().key);
  });
}

}  // namespace lazyvol::source
