#include "source/dir_read.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "source/paths.h"

namespace lazyvol::source {
namespace {

constexpr std::uint64_t kPiece = 1ULL << 20;

Error changed(const std::string& path) {
  return Error{Code::stale, printable(path) + " has changed"};
}

}  // namespace

DirRead::DirRead(std::shared_ptr<const DirRoot> root, ReadRequest request,
                 std::shared_ptr<ReadSink> sink, const RequestContext& ctx, base::TimerQueue& timer,
                 std::shared_ptr<Lane> lane)
    : root_(std::move(root)),
      request_(std::move(request)),
      sink_(std::move(sink)),
      stop_(ctx.stop),
      no_progress_(ctx.no_progress),
      timer_(timer),
      lane_(std::move(lane)) {}

std::shared_ptr<DirRead> DirRead::start(std::shared_ptr<const DirRoot> root, ReadRequest request,
                                        std::shared_ptr<ReadSink> sink, const RequestContext& ctx,
                                        base::TimerQueue& timer, std::shared_ptr<Lane> lane) {
  auto read = std::shared_ptr<DirRead>(new DirRead(std::move(root), std::move(request),
                                                   std::move(sink), ctx, timer, std::move(lane)));
  {
    auto state = read->state_.lock();
    state->on_thread = true;
    state->progress = base::system_clock().now();
  }
  const std::weak_ptr<DirRead> weak = read;
  read->on_stop_.emplace(read->stop_, std::function<void()>([weak] {
                           const auto self = weak.lock();
                           if (self) self->abort(Error{Code::cancelled, "cancelled"});
                         }));
  read->submit();
  read->watch();
  return read;
}

void DirRead::submit() {
  const bool taken = lane_->submit([self = shared_from_this()] { self->run(); });
  if (!taken) abort(Error{Code::cancelled, "shutting down"});
}

// Looks now and then whether the worker got anywhere; a paused read is in nobody's debt.
void DirRead::watch() {
  timer_.after(no_progress_, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    auto state = self->state_.lock();
    if (state->done) return;
    const bool stuck = state->on_thread && !state->delivering &&
                       base::system_clock().now() - state->progress >= self->no_progress_;
    state.unlock();
    if (stuck) {
      self->abort(Error{Code::timed_out, "no bytes within the deadline"});
    } else {
      self->watch();
    }
  });
}

void DirRead::resume() {
  auto state = state_.lock();
  if (state->done) return;
  if (state->on_thread) {
    state->resumed = true;
    return;
  }
  state->on_thread = true;
  state->progress = base::system_clock().now();
  state.unlock();
  submit();
}

void DirRead::run() {
  if (state_.lock()->done) return;
  Status status = file_ ? Status() : open();
  bool paused = false;
  if (status.ok()) status = read_pieces(paused);
  if (!paused || !status.ok()) finish(std::move(status));
}

// Opens the file, checks its version and announces what will come.
Status DirRead::open() {
  if (request_.length == 0) return Error{Code::invalid_argument, "a read of no bytes"};
  LAZYVOL_TRY_ASSIGN(Fd file, root_->open_file(request_.path));
  LAZYVOL_TRY_ASSIGN(const RemoteEntry entry, DirRoot::describe(file));
  if (!request_.validator.empty() && entry.validator != request_.validator) {
    return changed(request_.path);
  }
  if (!version_.empty() && entry.validator != version_) return changed(request_.path);
  file_ = std::move(file);
  if (!version_.empty()) return {};  // reopened after ESTALE
  version_ = entry.validator;
  const std::uint64_t size = *entry.size;
  position_ = std::min(request_.offset, size);
  end_ = position_ + std::min(request_.length, size - position_);
  return {};
}

Status DirRead::read_pieces(bool& paused) {
  if (state_.lock()->done) return {};
  if (!started_) {
    started_ = true;
    LAZYVOL_TRY_ASSIGN(const RemoteEntry entry, DirRoot::describe(*file_));
    const ReadStart start{version_, request_.offset, end_ - position_, *entry.size};
    LAZYVOL_TRY_ASSIGN(paused, deliver([&] { return sink_->on_start(start); }));
  }
  // Once paused, another worker may own the members already.
  if (paused) return {};
  const auto buffer = std::make_unique_for_overwrite<std::byte[]>(
      static_cast<std::size_t>(std::min(kPiece, end_ - position_)));
  while (!paused && position_ < end_) {
    std::size_t length = 0;
    LAZYVOL_TRY(read_piece(buffer.get(), length));
    position_ += length;
    LAZYVOL_TRY_ASSIGN(paused, deliver([&] { return sink_->on_data({buffer.get(), length}); }));
  }
  return {};
}

Status DirRead::read_piece(std::byte* buffer, std::size_t& length) {
  const auto wanted = static_cast<std::size_t>(std::min(kPiece, end_ - position_));
  ssize_t got = 0;
  do {
    got = ::pread(file_->get(), buffer, wanted, static_cast<off_t>(position_));
  } while (got < 0 && errno == EINTR);
  const int error = errno;
  if (got < 0 && error == ESTALE && !reopened_) {
    reopened_ = true;
    LAZYVOL_TRY(open());
    return read_piece(buffer, length);
  }
  if (got < 0) return errno_error(error, "read " + printable(request_.path));
  LAZYVOL_TRY_ASSIGN(const RemoteEntry now, DirRoot::describe(*file_));
  if (now.validator != version_) return changed(request_.path);
  if (got == 0) return Error{Code::io_error, printable(request_.path) + " ends too early"};
  length = static_cast<std::size_t>(got);
  return {};
}

// Calls the sink unless the read is over. True when it wants a pause and got one: the caller must
// then leave the thread.
Result<bool> DirRead::deliver(const std::function<Flow()>& call) {
  {
    auto state = state_.lock();
    if (state->done) return Error{Code::cancelled, "over already"};
    state->delivering = true;
    state->resumed = false;
  }
  const Flow flow = call();
  auto state = state_.lock();
  state->delivering = false;
  state->progress = base::system_clock().now();
  if (state->abort) return *state->abort;
  if (flow == Flow::abort) return Error{Code::cancelled, "the reader gave up"};
  if (flow == Flow::proceed || state->resumed || position_ == end_) return false;
  state->on_thread = false;
  return true;
}

void DirRead::abort(Error error) {
  {
    auto state = state_.lock();
    if (state->done) return;
    if (state->delivering) {
      state->abort = std::move(error);
      return;
    }
    state->done = true;
  }
  sink_->on_done(std::move(error));
}

void DirRead::finish(Status status) {
  {
    auto state = state_.lock();
    if (state->done) return;
    state->done = true;
  }
  sink_->on_done(std::move(status));
}

}  // namespace lazyvol::source
