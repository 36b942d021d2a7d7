#include "source/sftp_read.h"

#include <algorithm>
#include <utility>

#include "source/paths.h"
#include "source/sftp_attributes.h"
#include "source/sftp_reply.h"

namespace lazyvol::source {
namespace {

constexpr std::uint64_t kMostInFlight = 4 << 20;

std::string what(const ReadRequest& request) {
  return "read " + printable(request.path);
}

Error changed(const ReadRequest& request) {
  return Error{Code::stale, printable(request.path) + " has changed"};
}

}  // namespace

SftpRead::SftpRead(std::shared_ptr<const SftpRoot> root, ReadRequest request,
                   std::shared_ptr<ReadSink> sink, const RequestContext& ctx,
                   base::TimerQueue& timer)
    : root_(std::move(root)),
      request_(std::move(request)),
      sink_(std::move(sink)),
      stop_(ctx.stop),
      no_progress_(ctx.no_progress),
      timer_(timer) {}

std::shared_ptr<SftpRead> SftpRead::start(std::shared_ptr<SftpPool> pool,
                                          std::shared_ptr<const SftpRoot> root, ReadRequest request,
                                          std::shared_ptr<ReadSink> sink, const RequestContext& ctx,
                                          base::TimerQueue& timer) {
  auto read = std::shared_ptr<SftpRead>(
      new SftpRead(std::move(root), std::move(request), std::move(sink), ctx, timer));
  read->state_.lock()->progress = base::system_clock().now();
  const std::weak_ptr<SftpRead> weak = read;
  read->on_stop_.emplace(read->stop_, std::function<void()>([weak] {
                           const auto self = weak.lock();
                           if (self) self->abort(Error{Code::cancelled, "cancelled"});
                         }));
  read->watch();
  if (read->state_.lock()->done) return read;
  pool->run(SftpPool::Kind::bulk, [read](Result<std::shared_ptr<SftpLease>> lease) {
    if (!lease.ok()) return read->abort(std::move(lease).error());
    read->begin(*std::move(lease));
  });
  return read;
}

// Ends a read that got nowhere for its deadline; a paused one is in nobody's debt.
void SftpRead::watch() {
  watch_ = timer_.after(no_progress_, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    auto state = self->state_.lock();
    if (state->done) return;
    const bool stuck = !state->paused && !state->delivering &&
                       base::system_clock().now() - state->progress >= self->no_progress_;
    state.unlock();
    if (stuck) {
      self->abort(Error{Code::timed_out, "no bytes within the deadline"});
    } else {
      self->watch();
    }
  });
}

// What kind of file it is is asked along with opening it: the server would follow a link.
void SftpRead::begin(std::shared_ptr<SftpLease> lease) {
  {
    auto state = state_.lock();
    if (state->done) return;
    state->connection = lease->share();
  }
  lease_ = std::move(lease);
  const std::string path = root_->path_of(request_.path);
  connection().path_request(
      SftpType::lstat, path,
      [self = shared_from_this()](Result<SftpReply> reply) { self->seen(std::move(reply)); });
  if (!lease_) return;  // the connection had ended
  connection().path_request(SftpType::open, path,
                            [self = shared_from_this(), keep = lease_](Result<SftpReply> reply) {
                              self->opened(*keep, std::move(reply));
                            });
}

void SftpRead::seen(Result<SftpReply> reply) {
  if (over_) return;
  const auto attributes = expect_sftp<SftpAttributes>(std::move(reply), what(request_));
  if (!attributes.ok()) return fail(attributes.error());
  const auto type = sftp_type(*attributes);
  if (type == NodeType::file || !attributes->permissions) return;
  const std::string name = printable(request_.path);
  if (type == NodeType::directory) {
    return finish(Error{Code::is_directory, name + " is a directory"});
  }
  // Opening a fifo blocks the server's end of the connection, perhaps for ever.
  if (!type) connection().retire("a special file holds the server");
  finish(Error{Code::not_found, name + " is no regular file"});
}

void SftpRead::opened(const SftpLease& lease, Result<SftpReply> reply) {
  auto handle = expect_sftp<SftpHandle>(std::move(reply), what(request_));
  if (over_ && handle.ok()) lease.connection().close_handle(handle->handle);
  if (over_) return;
  if (!handle.ok()) return fail(std::move(handle).error());
  handle_ = std::move(handle->handle);
  if (!touch()) return release();
  look(nullptr);
  version_ = request_.validator;
  // The version wanted tells the size: the first bytes are asked for along with the version.
  const auto size = size_in_sftp_validator(version_);
  if (!size) return;
  next_ = std::min(request_.offset, *size);
  end_ = next_ + std::min(request_.length, *size - next_);
  ask();
}

// Asks for the version of what is open; `piece` null for the first look.
void SftpRead::look(const std::shared_ptr<Piece>& piece) {
  if (piece) ++piece->looks;
  connection().handle_request(SftpType::fstat, handle_,
                              [self = shared_from_this(), piece](Result<SftpReply> reply) {
                                self->looked(piece, std::move(reply));
                              });
}

void SftpRead::looked(const std::shared_ptr<Piece>& piece, Result<SftpReply> reply) {
  if (over_ || !touch()) return release();
  auto seen = expect_sftp<SftpAttributes>(std::move(reply), what(request_));
  if (!seen.ok()) return fail(std::move(seen).error());
  const std::string version = sftp_validator(*seen);
  if (version.empty()) {
    return fail(Error{Code::unsupported, what(request_) + ": the server tells no size and mtime"});
  }
  if (version_.empty()) version_ = version;
  if (version != version_) return fail(changed(request_));
  if (piece) {
    --piece->looks;
    return deliver();
  }
  announce(*seen->size);
}

void SftpRead::announce(std::uint64_t size) {
  if (request_.validator.empty()) {
    next_ = std::min(request_.offset, size);
    end_ = next_ + std::min(request_.length, size - next_);
  }
  announced_ = true;
  const std::uint64_t begin = std::min(request_.offset, size);
  const ReadStart start{version_, request_.offset, std::min(request_.length, size - begin), size};
  if (!call_sink([&] { return sink_->on_start(start); })) return;
  deliver();
}

// Keeps the requests coming, unless paused.
void SftpRead::ask() {
  while (!over_ && next_ < end_ && in_flight_ < kMostInFlight) {
    if (state_.lock()->paused) return;
    auto piece = std::make_shared<Piece>();
    piece->offset = next_;
    piece->length =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(connection().read_size(), end_ - next_));
    next_ += piece->length;
    in_flight_ += piece->length;
    pieces_.push_back(piece);
    ask_rest(piece);
  }
}

// Asks for what a piece still lacks, and for the version after it.
void SftpRead::ask_rest(const std::shared_ptr<Piece>& piece) {
  const std::uint32_t asked = piece->length - piece->got;
  ++piece->reads;
  connection().read_request(handle_, piece->offset + piece->got, asked,
                            [self = shared_from_this(), piece, asked](Result<SftpReply> reply) {
                              self->take(piece, asked, std::move(reply));
                            });
  look(piece);
}

void SftpRead::take(const std::shared_ptr<Piece>& piece, std::uint32_t asked,
                    Result<SftpReply> reply) {
  --piece->reads;
  if (over_ || !touch()) return release();
  // The end of the file before its end: the look that follows tells why.
  if (is_sftp_status(reply, SftpStatusCode::eof)) return deliver();
  auto data = expect_sftp<SftpData>(std::move(reply), what(request_));
  if (!data.ok()) return fail(std::move(data).error());
  if (data->length == 0 || data->length > asked) {
    return fail(Error{Code::corrupt, what(request_) + ": the server sent another length"});
  }
  piece->got += static_cast<std::uint32_t>(data->length);
  piece->parts.push_back(*std::move(data));
  if (piece->got == piece->length) return deliver();
  connection().note_short_read(static_cast<std::uint32_t>(piece->parts.back().length));
  ask_rest(piece);
}

// Hands on what is complete and looked at, in order, and asks for more.
void SftpRead::deliver() {
  while (announced_ && !over_ && !pieces_.empty() && !state_.lock()->paused) {
    const std::shared_ptr<Piece> piece = pieces_.front();
    if (piece->reads + piece->looks > 0) break;
    if (piece->got < piece->length) {
      return fail(Error{Code::io_error, printable(request_.path) + " ends too early"});
    }
    const SftpData part = std::move(piece->parts.front());
    piece->parts.pop_front();
    if (piece->parts.empty()) {
      pieces_.pop_front();
      in_flight_ -= piece->length;
    }
    if (!call_sink([&] { return sink_->on_data(part.bytes()); })) return;
  }
  if (over_ || !announced_) return;
  if (pieces_.empty() && next_ == end_) return finish({});
  ask();
}

// False when the read is over.
bool SftpRead::call_sink(const std::function<Flow()>& call) {
  {
    auto state = state_.lock();
    if (state->done) {
      state.unlock();
      release();
      return false;
    }
    state->delivering = true;
    state->resumed = false;
  }
  const Flow flow = call();
  auto state = state_.lock();
  state->delivering = false;
  state->progress = base::system_clock().now();
  std::optional<Error> error = std::move(state->abort);
  if (!error && flow == Flow::abort) error = Error{Code::cancelled, "the reader gave up"};
  state->paused = flow == Flow::pause && !state->resumed;
  state.unlock();
  if (error) fail(*std::move(error));
  return !over_;
}

void SftpRead::resume() {
  auto state = state_.lock();
  if (state->done) return;
  if (state->delivering) {
    state->resumed = true;
    return;
  }
  if (!std::exchange(state->paused, false)) return;
  state->progress = base::system_clock().now();
  const auto connection = state->connection;
  state.unlock();
  const bool posted = connection->post([self = shared_from_this()] { self->deliver(); });
  if (!posted) abort(Error{Code::unreachable, "the connection ended"});
}

// Notes that something came; false when the read was ended from outside.
bool SftpRead::touch() {
  auto state = state_.lock();
  state->progress = base::system_clock().now();
  return !state->done;
}

void SftpRead::fail(Error error) {
  if (over_) return;
  const bool absent = error.code == Code::not_found && handle_.empty();
  if (!absent) return finish(std::move(error));
  const auto lease = lease_;
  over_ = true;
  prove_absence(root_, lease, request_.path, std::move(error),
                [self = shared_from_this()](Error proved) {
                  self->over_ = false;
                  self->finish(std::move(proved));
                });
}

void SftpRead::finish(Status status) {
  release();
  {
    auto state = state_.lock();
    if (state->done) return;
    state->done = true;
  }
  sink_->on_done(std::move(status));
}

// Lets the server forget the file. What is still on its way is dropped when it comes.
void SftpRead::release() {
  over_ = true;
  pieces_.clear();
  if (!handle_.empty() && lease_) connection().close_handle(std::exchange(handle_, {}));
  lease_.reset();
}

// From any thread: the read ends now for its sink, and soon for the server.
void SftpRead::abort(Error error) {
  std::shared_ptr<SftpConnection> connection;
  {
    auto state = state_.lock();
    if (state->done) return;
    if (state->delivering) {
      state->abort = std::move(error);
      return;
    }
    state->done = true;
    connection = state->connection;
  }
  sink_->on_done(std::move(error));
  if (connection) connection->post([self = shared_from_this()] { self->release(); });
}

}  // namespace lazyvol::source
