#include "daemon/control_server.h"

#include <fcntl.h>
#include <microhttpd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "base/log.h"

namespace lazyvol::daemon {
namespace {

/// How long a client that sends or takes nothing keeps its connection.
constexpr unsigned kIdleSeconds = 30;
/// A quiet stream sends an empty line this often.
constexpr std::chrono::milliseconds kHeartbeat{500};
/// A body this long is not even read to its end.
constexpr std::size_t kDropConnection = 16 * kMaxControlBody;

/// One request while it arrives; owned through MHD's per-connection pointer.
struct Arriving {
  std::string body;
  std::size_t bytes = 0;
};

/// What MHD pulls a streamed answer from; owned by the MHD_Response.
struct Pull {
  std::shared_ptr<LineStream> stream;
  std::string pending;
  std::function<void()> closed;
};

ssize_t pull_line(void* cls, std::uint64_t, char* out, std::size_t max) {
  auto& pull = *static_cast<Pull*>(cls);
  if (pull.pending.empty()) {
    auto line = pull.stream->next(kHeartbeat);
    if (!line) return MHD_CONTENT_READER_END_OF_STREAM;
    pull.pending = std::move(*line);
  }
  const std::size_t n = std::min(max, pull.pending.size());
  std::memcpy(out, pull.pending.data(), n);
  pull.pending.erase(0, n);
  return static_cast<ssize_t>(n);
}

void free_pull(void* cls) {
  std::unique_ptr<Pull> pull(static_cast<Pull*>(cls));
  pull->stream->request_stop();
  pull->closed();
}

bool peer_may_call(MHD_Connection* connection) {
  const auto* info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  if (info == nullptr) return false;
  ucred peer{};
  socklen_t size = sizeof peer;
  if (getsockopt(info->connect_fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  return peer.uid == 0 || peer.uid == geteuid();
}

Result<int> listen_on(const std::filesystem::path& path) {
  const std::string what = "control socket " + path.string();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.native().size() >= sizeof address.sun_path) {
    return Error{Code::name_too_long, what + ": path too long"};
  }
  std::memcpy(address.sun_path, path.c_str(), path.native().size());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return errno_error(errno, what);
  unlink(path.c_str());
  // The directory is 0700, so nobody can connect between bind and chmod.
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      chmod(path.c_str(), 0600) != 0 || listen(fd, kMaxControlConnections) != 0) {
    const int error = errno;
    close(fd);
    return errno_error(error, what);
  }
  return fd;
}

unsigned http_status(Code code) {
  switch (code) {
    case Code::invalid_argument:
    case Code::name_too_long:
      return 400;
    case Code::access_denied:
      return 403;
    case Code::not_found:
      return 404;
    case Code::busy:
    case Code::already_exists:
      return 409;
    case Code::too_large:
      return 413;
    default:
      return 500;
  }
}

}  // namespace

ControlResponse error_response(const Error& error) {
  const nlohmann::json body{
      {"error", {{"code", to_string(error.code)}, {"message", error.message}}}};
  return {http_status(error.code),
          body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n"};
}

void LineStream::progress(std::string line) {
  {
    auto state = state_.lock();
    if (state->finished) return;
    state->progress = std::move(line) + "\n";
  }
  wake_.notify_all();
}

void LineStream::finish(std::string line) {
  {
    auto state = state_.lock();
    if (state->finished) return;
    state->last = std::move(line) + "\n";
    state->finished = true;
  }
  wake_.notify_all();
}

std::optional<std::string> LineStream::next(std::chrono::milliseconds wait) {
  auto state = state_.lock();
  wake_.wait_for(state.native(), wait, [&] { return state->finished || !state->progress.empty(); });
  if (!state->progress.empty()) return std::exchange(state->progress, {});
  if (!state->finished) {
    if (stop_.stop_requested()) return std::nullopt;  // nobody waits for the last line
    return "\n";
  }
  if (state->drained) return std::nullopt;
  state->drained = true;
  return std::move(state->last);
}

struct ControlServer::Impl {
  std::filesystem::path socket;
  ControlHandler handler;
  std::stop_source stopping;
  base::Locked<std::set<std::shared_ptr<LineStream>>> streams;
  int listen_fd = -1;  ///< MHD closes it
  MHD_Daemon* daemon = nullptr;

  MHD_Result send(MHD_Connection* connection, ControlResponse answer);
  MHD_Result on_request(MHD_Connection* connection, const char* url, const char* method,
                        const char* upload, std::size_t* upload_size, void** state);

  static MHD_Result access(void* cls, MHD_Connection* connection, const char* url,
                           const char* method, const char*, const char* upload,
                           std::size_t* upload_size, void** state) {
    return static_cast<Impl*>(cls)->on_request(connection, url, method, upload, upload_size, state);
  }
  static void completed(void*, MHD_Connection*, void** state, MHD_RequestTerminationCode) {
    delete static_cast<Arriving*>(*state);
    *state = nullptr;
  }
};

MHD_Result ControlServer::Impl::send(MHD_Connection* connection, ControlResponse answer) {
  MHD_Response* response = nullptr;
  if (answer.stream) {
    auto stream = answer.stream;
    streams.lock()->insert(stream);
    if (stopping.stop_requested()) stream->request_stop();
    auto* pull = new Pull{stream, {}, [this, stream] { streams.lock()->erase(stream); }};
    response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, pull_line, pull, free_pull);
    if (response == nullptr) free_pull(pull);
  } else {
    response = MHD_create_response_from_buffer(answer.body.size(), answer.body.data(),
                                               MHD_RESPMEM_MUST_COPY);
  }
  if (response == nullptr) return MHD_NO;
  MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
  const MHD_Result result = MHD_queue_response(connection, answer.status, response);
  MHD_destroy_response(response);
  return result;
}

MHD_Result ControlServer::Impl::on_request(MHD_Connection* connection, const char* url,
                                           const char* method, const char* upload,
                                           std::size_t* upload_size, void** state) {
  if (*state == nullptr) {  // headers are here, the body is not
    *state = new Arriving;
    if (peer_may_call(connection)) return MHD_YES;
    base::log_warn("control socket: a call by another user was refused");
    return send(connection, error_response({Code::access_denied,
                                            "only the daemon's own user and root may call"}));
  }
  auto& arriving = *static_cast<Arriving*>(*state);
  if (*upload_size > 0) {
    arriving.bytes += *upload_size;
    if (arriving.bytes <= kMaxControlBody) arriving.body.append(upload, *upload_size);
    *upload_size = 0;
    return arriving.bytes <= kDropConnection ? MHD_YES : MHD_NO;
  }
  if (arriving.bytes > kMaxControlBody) {
    return send(connection, error_response({Code::too_large, "the request body exceeds 64 KiB"}));
  }
  return send(connection, handler({method, url, std::move(arriving.body), stopping.get_token()}));
}

Result<std::unique_ptr<ControlServer>> ControlServer::start(const std::filesystem::path& socket,
                                                            ControlHandler handler) {
  auto impl = std::make_unique<Impl>();
  impl->socket = socket;
  impl->handler = std::move(handler);
  LAZYVOL_TRY_ASSIGN(impl->listen_fd, listen_on(socket));
  impl->daemon = MHD_start_daemon(
      MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL, 0, nullptr,
      nullptr, &Impl::access, impl.get(), MHD_OPTION_LISTEN_SOCKET, impl->listen_fd,
      MHD_OPTION_CONNECTION_LIMIT, kMaxControlConnections, MHD_OPTION_CONNECTION_TIMEOUT,
      kIdleSeconds, MHD_OPTION_NOTIFY_COMPLETED, &Impl::completed, nullptr, MHD_OPTION_END);
  if (impl->daemon == nullptr) {
    close(impl->listen_fd);
    unlink(socket.c_str());
    return Error{Code::io_error, "control socket " + socket.string() + ": cannot serve HTTP on it"};
  }
  return std::unique_ptr<ControlServer>(new ControlServer(std::move(impl)));
}

ControlServer::ControlServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

ControlServer::~ControlServer() {
  stop();
}

void ControlServer::stop() {
  if (impl_->daemon == nullptr) return;
  unlink(impl_->socket.c_str());
  impl_->stopping.request_stop();
  const auto streams = *impl_->streams.lock();  // a copy: stopping runs callbacks
  for (const auto& stream : streams) stream->request_stop();
  MHD_stop_daemon(std::exchange(impl_->daemon, nullptr));
}

}  // namespace lazyvol::daemon
