#include "source/http_source.h"

#include <fmt/core.h>

#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "base/locked.h"
#include "model/source_url.h"
#include "net/redact.h"
#include "source/forwarding_transfer.h"
#include "source/http_read.h"
#include "source/http_site.h"
#include "source/http_stat.h"
#include "source/http_version.h"
#include "source/index_page.h"
#include "source/paths.h"

namespace lazyvol::source {
namespace {

// Parsing more than this on the transfer thread would hold up every other request.
constexpr std::size_t kParseInline = 64 * 1024;

// What exact listings show is withheld as an identity, and becomes the token by which the volume
// sees that a row has changed.
void leave_identity_to_stat(Listing& listing) {
  for (RemoteEntry& entry : listing.entries) {
    if (entry.validator.empty()) continue;
    entry.token = std::exchange(entry.validator, {});
    entry.settled = true;
  }
}

// An index that is a file itself may be asked for conditionally. One that a server makes from a
// directory may not: its date or tag, if it has any (Apache's TrackModified), is the directory's,
// which does not change with the files in it. Only JSON indexes are ever such files, and only a tag
// counts.
std::string listing_validator(const net::HttpHead& head) {
  const auto* type = head.headers.find("content-type");
  const auto* etag = head.headers.find("etag");
  const bool json = type != nullptr && type->find("json") != std::string::npos;
  return json && etag != nullptr && etag->size() <= 256 ? *etag : std::string();
}

Result<Listing> read_listing(HttpSite& site, const net::HttpBody& body) {
  const auto* type = body.head.headers.find("content-type");
  const std::int64_t now_s = response_date(body.head.headers, local_now_s());
  auto listing = parse_index(body.bytes, type == nullptr ? std::string_view() : *type,
                             body.head.effective_url, now_s);
  if (!listing.ok()) {
    Error error = std::move(listing).error();
    error.message = fmt::format("{} {}", net::redact_url(body.head.effective_url), error.message);
    return error;
  }
  if (!site.listings_identify()) leave_identity_to_stat(*listing);
  listing->validator = listing_validator(body.head);
  listing->hides_dot_names = true;  // where a server does show them, asking costs one HEAD
  return listing;
}

class HttpSource : public Source, public std::enable_shared_from_this<HttpSource> {
 public:
  using RootDone = std::function<void(Result<HttpRoot>)>;

  HttpSource(std::string url, std::string file_name, std::shared_ptr<HttpSite> site)
      : url_(std::move(url)), file_name_(std::move(file_name)), site_(std::move(site)) {
    if (url_.ends_with('/')) *root_.lock() = HttpRoot{url_, {}, {}};
  }

  SourceTraits traits() const override {
    return {.scheme = "http",
            .display = url_,
            .capabilities = {"conditional listings", "conditional reads", "times in s"}};
  }

  void list(std::string path, std::string known, RequestContext ctx, ListDone done) override {
    if (auto valid = check_path(path); !valid.ok()) return done(valid.error());
    const auto self = shared_from_this();
    with_root(ctx, [self, path, known, ctx, done](Result<HttpRoot> root) {
      if (!root.ok()) return done(root.error());
      if (root->single_file()) return self->list_single_file(*root, path, ctx, done);
      self->list_directory(*root, path, known, ctx, done);
    });
  }

  void stat(std::string path, RequestContext ctx, StatDone done) override {
    if (auto valid = check_path(path); !valid.ok()) return done(valid.error());
    const auto self = shared_from_this();
    with_root(ctx, [self, path, ctx, done](Result<HttpRoot> root) {
      if (!root.ok()) return done(root.error());
      if (!root->single_file()) return self->stat_url(root->url_of(path), path, ctx, done);
      if (path.empty()) {
        RemoteEntry itself;
        itself.type = NodeType::directory;
        return done(std::move(itself));
      }
      if (auto there = names_the_file(*root, path); !there.ok()) return done(there.error());
      self->stat_url(root->file_url, path, ctx, done);
    });
  }

  std::shared_ptr<Transfer> read(ReadRequest request, std::shared_ptr<ReadSink> sink,
                                 RequestContext ctx) override;

 private:
  // The answer is at hand, or is asked for by each caller on its own until the first one knows.
  void with_root(const RequestContext& ctx, RootDone done) {
    if (const auto known = *root_.lock()) return done(*known);
    http_stat(site_, url_, file_name_, ctx,
              [self = shared_from_this(), done = std::move(done)](Result<HttpStat> stat) {
                if (!stat.ok()) return done(stat.error());
                done(self->learn_root(*stat));
              });
  }

  HttpRoot learn_root(const HttpStat& stat) {
    HttpRoot root;
    if (stat.entry.type == NodeType::directory) {
      root.base_url = url_ + "/";
    } else {
      root.base_url = url_.substr(0, url_.rfind('/') + 1);
      root.file_name = file_name_;
      root.file_url = url_;
    }
    *root_.lock() = root;
    return root;
  }

  // The tree of a single file is our own invention: what else is not in it, we know.
  static Status names_the_file(const HttpRoot& root, const std::string& path) {
    if (path == root.file_name) return {};
    const bool below = path.starts_with(root.file_name + "/");
    return Error{below ? Code::not_directory : Code::not_found, printable(path)};
  }

  void stat_url(std::string url, const std::string& path, const RequestContext& ctx,
                StatDone done) const {
    http_stat(site_, std::move(url), path, ctx, [done = std::move(done)](Result<HttpStat> stat) {
      if (!stat.ok()) return done(stat.error());
      done(std::move(stat->entry));
    });
  }

  void list_single_file(const HttpRoot& root, const std::string& path, const RequestContext& ctx,
                        ListDone done) const {
    if (!path.empty()) {
      auto there = names_the_file(root, path);
      return done(there.ok() ? Error{Code::not_directory, printable(path)} : there.error());
    }
    stat_url(root.file_url, root.file_name, ctx,
             [done = std::move(done)](Result<RemoteEntry> entry) {
               Listing listing;
               if (entry.ok()) listing.entries.push_back(*std::move(entry));
               if (entry.ok() || entry.error().code == Code::not_found)
                 return done(std::move(listing));
               done(entry.error());
             });
  }

  void list_directory(const HttpRoot& root, const std::string& path, const std::string& known,
                      const RequestContext& ctx, ListDone done) {
    const std::string url = root.url_of(path);
    auto request =
        site_->request(net::HttpRequest::Method::get, url.ends_with('/') ? url : url + "/", ctx);
    request.headers.emplace_back("Accept", "application/json, text/html;q=0.9");
    if (!known.empty()) request.headers.emplace_back("If-None-Match", known);
    request.accept_encoding = true;
    const auto self = shared_from_this();
    site_->fetch(std::move(request), kMaxIndexBytes,
                 [self, url, path, known, ctx, done](Result<net::HttpBody> body) {
                   if (body.ok()) return self->take_listing(*std::move(body), known, done);
                   self->explain_failure(url, path, ctx, body.error(), done);
                 });
  }

  void take_listing(net::HttpBody body, const std::string& known, const ListDone& done) {
    if (body.head.status == 304) {
      Listing same;
      same.not_modified = true;
      same.validator = known;
      return done(std::move(same));
    }
    const std::string& url = body.head.effective_url;
    if (!url.substr(0, url.find_first_of("?#")).ends_with('/')) {
      return done(Error{Code::not_directory, net::redact_url(url) + " is a file"});
    }
    if (body.bytes.size() <= kParseInline) return done(read_listing(*site_, body));
    auto parse = [site = site_, shared = std::make_shared<net::HttpBody>(std::move(body)), done] {
      done(read_listing(*site, *shared));
    };
    const bool taken = site_->environment().blocking.submit(std::move(parse));
    if (!taken) done(Error{Code::cancelled, "shutting down"});
  }

  // "name/" not being found does not tell whether "name" is: that takes a question of its own.
  void explain_failure(const std::string& url, const std::string& path, const RequestContext& ctx,
                       const Error& error, const ListDone& done) const {
    if (error.code != Code::not_found || path.empty()) return done(error);
    stat_url(url, path, ctx, [error, done](Result<RemoteEntry> entry) {
      if (!entry.ok()) return done(entry.error());
      if (entry->type == NodeType::directory) return done(error);
      done(Error{Code::not_directory, printable(entry->name) + " is a file"});
    });
  }

  const std::string url_;
  const std::string file_name_;  // last component of url_, decoded; empty when url_ ends in '/'
  const std::shared_ptr<HttpSite> site_;
  base::Locked<std::optional<HttpRoot>> root_;
};

std::shared_ptr<Transfer> HttpSource::read(ReadRequest request, std::shared_ptr<ReadSink> sink,
                                           RequestContext ctx) {
  auto transfer = std::make_shared<ForwardingTransfer>();
  if (auto valid = check_path(request.path); !valid.ok()) {
    sink->on_done(valid.error());
    return transfer;
  }
  with_root(ctx, [site = site_, request, sink, ctx, transfer](Result<HttpRoot> root) {
    if (!root.ok()) return sink->on_done(root.error());
    if (request.path.empty()) return sink->on_done(Error{Code::is_directory, "the root"});
    if (root->single_file()) {
      if (auto there = names_the_file(*root, request.path); !there.ok()) {
        return sink->on_done(there.error());
      }
    }
    transfer->set(start_http_read(site, root->url_of(request.path), request, sink, ctx));
  });
  return transfer;
}

}  // namespace

Result<std::shared_ptr<Source>> make_http_source(const model::SourceUrl& url,
                                                 const model::MountOptions& options,
                                                 SourceEnvironment environment) {
  LAZYVOL_TRY_ASSIGN(auto credentials,
                     net::Credentials::open(options.credentials, options.ca_cert));
  const std::string text = url.canonical();
  std::string file_name;
  if (!text.ends_with('/')) {
    LAZYVOL_TRY_ASSIGN(file_name, model::percent_decode(text.substr(text.rfind('/') + 1)));
    if (!valid_name(file_name)) {
      return Error{Code::invalid_argument, "the last part of the URL is no name for a file"};
    }
  }
  auto site = std::make_shared<HttpSite>(environment, std::move(credentials), options.io_retries);
  return std::shared_ptr<Source>(
      std::make_shared<HttpSource>(text, std::move(file_name), std::move(site)));
}

}  // namespace lazyvol::source
