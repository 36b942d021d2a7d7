#include "source/sftp_source.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <utility>

#include "source/paths.h"
#include "source/sftp_call.h"
#include "source/sftp_pool.h"
#include "source/sftp_read.h"
#include "source/sftp_tree.h"

namespace lazyvol::source {
namespace {

/// Each is a process and a login of the server's, and a thread here; four fill a line.
constexpr std::uint32_t kMostConnections = 16;

class SftpSource : public Source {
 public:
  SftpSource(std::string display, std::shared_ptr<SftpPool> pool,
             std::shared_ptr<const SftpRoot> root, std::uint32_t max_retries,
             base::TimerQueue& timer)
      : display_(std::move(display)),
        pool_(std::move(pool)),
        root_(std::move(root)),
        max_retries_(max_retries),
        timer_(timer) {}
  ~SftpSource() override { pool_->stop(); }

  SourceTraits traits() const override {
    return {.scheme = "sftp",
            .display = display_,
            .capabilities = {"exact listings", "modes", "owners", "symbolic links", "times in s"}};
  }

  // A known validator is of no use: a directory's own times tell nothing about the attributes of
  // what is in it.
  void list(std::string path, std::string, RequestContext ctx, ListDone done) override {
    call<Listing>(std::move(path), ctx, std::move(done), list_sftp);
  }

  void stat(std::string path, RequestContext ctx, StatDone done) override {
    call<RemoteEntry>(std::move(path), ctx, std::move(done), stat_sftp);
  }

  std::shared_ptr<Transfer> read(ReadRequest request, std::shared_ptr<ReadSink> sink,
                                 RequestContext ctx) override {
    Status status = check_path(request.path);
    if (status.ok() && request.length == 0) {
      status = Error{Code::invalid_argument, "a read of no bytes"};
    }
    if (status.ok()) {
      return SftpRead::start(pool_, root_, std::move(request), std::move(sink), ctx, timer_);
    }
    struct Nothing : Transfer {
      void resume() override {}
    };
    sink->on_done(std::move(status));
    return std::make_shared<Nothing>();
  }

 private:
  template <class T, class Work>
  void call(std::string path, const RequestContext& ctx, std::function<void(Result<T>)> done,
            Work work) {
    if (auto status = check_path(path); !status.ok()) return done(std::move(status).error());
    SftpCall<T>::start(
        pool_, timer_, ctx, max_retries_,
        [root = root_, path = std::move(path), work](std::shared_ptr<SftpLease> lease,
                                                     std::shared_ptr<SftpCall<T>> self) {
          work(root, path, lease, self);
        },
        std::move(done));
  }

  const std::string display_;
  const std::shared_ptr<SftpPool> pool_;
  const std::shared_ptr<const SftpRoot> root_;
  const std::uint32_t max_retries_;
  base::TimerQueue& timer_;
};

// "host", "host:port", "[::1]:22": parse_source_url() has checked it.
void set_authority(SshTarget& target, std::string_view authority) {
  const auto colon = authority.rfind(':');
  const auto bracket = authority.rfind(']');
  if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
    std::uint16_t port = 0;
    std::from_chars(authority.data() + colon + 1, authority.data() + authority.size(), port);
    if (port != 0) target.port = port;
    authority = authority.substr(0, colon);
  }
  if (authority.starts_with('[')) authority = authority.substr(1, authority.size() - 2);
  target.host = authority;
}

}  // namespace

Result<std::shared_ptr<Source>> make_sftp_source(const model::SourceUrl& url,
                                                 const model::MountOptions& options,
                                                 SourceEnvironment environment) {
  SftpConnection::Settings settings;
  LAZYVOL_TRY_ASSIGN(settings.credentials,
                     net::Credentials::open(options.credentials, "", net::CredentialsFor::ssh));
  set_authority(settings.target, url.authority);
  settings.target.user = url.user;
  if (const char* dir = std::getenv("LAZYVOL_SSH_DIR")) settings.target.ssh_dir = dir;
  settings.io_timeout = options.io_timeout;
  const std::string display = url.canonical();
  auto pool = std::make_shared<SftpPool>(settings, display,
                                         std::min(options.max_connections, kMostConnections));
  return std::shared_ptr<Source>(std::make_shared<SftpSource>(
      display, std::move(pool), std::make_shared<const SftpRoot>(url.path), options.io_retries,
      environment.timer));
}

}  // namespace lazyvol::source
