#include "git/memory_read.h"

#include <algorithm>
#include <span>
#include <utility>

namespace lazyvol::git {

MemoryRead::MemoryRead(std::string bytes, const ReadRequest& request, std::string validator,
                       std::shared_ptr<ReadSink> sink, base::Workers& workers)
    : bytes_(std::move(bytes)), sink_(std::move(sink)), workers_(workers) {
  const std::uint64_t size = bytes_.size();
  start_.validator = std::move(validator);
  start_.offset = request.offset;
  start_.length = std::min(request.length, size - std::min(request.offset, size));
  start_.total_size = size;
}

std::shared_ptr<MemoryRead> MemoryRead::start(std::string bytes, const ReadRequest& request,
                                              std::string validator, std::shared_ptr<ReadSink> sink,
                                              std::stop_token stop, base::Workers& workers) {
  auto read = std::shared_ptr<MemoryRead>(
      new MemoryRead(std::move(bytes), request, std::move(validator), std::move(sink), workers));
  const std::weak_ptr<MemoryRead> weak = read;
  read->on_stop_.emplace(std::move(stop), std::function<void()>([weak] {
                           if (const auto self = weak.lock()) self->stopped();
                         }));
  read->submit();
  return read;
}

void MemoryRead::submit() {
  if (!workers_.submit([self = shared_from_this()] { self->run(); })) {
    finish(Error{Code::cancelled, "shutting down"});
  }
}

void MemoryRead::resume() {
  {
    auto state = state_.lock();
    if (state->done) return;
    if (state->running) {
      state->resumed = true;
      return;
    }
    state->running = true;
  }
  submit();
}

void MemoryRead::stopped() {
  {
    auto state = state_.lock();
    if (state->done) return;
    state->stopped = true;
    if (state->running) return;
    state->running = true;
  }
  submit();
}

void MemoryRead::run() {
  for (;;) {
    {
      auto state = state_.lock();
      state->resumed = false;
      if (state->stopped) {
        state.unlock();
        return finish(Error{Code::cancelled, "cancelled"});
      }
    }
    const bool last = started_ || start_.length == 0;
    const Flow flow =
        started_
            ? sink_->on_data(std::as_bytes(std::span(bytes_)).subspan(start_.offset, start_.length))
            : sink_->on_start(start_);
    started_ = true;
    if (flow == Flow::abort) return finish(Error{Code::cancelled, "the reader gave up"});
    if (last) return finish({});
    auto state = state_.lock();
    if (flow == Flow::pause && !state->resumed) {
      state->running = false;
      if (!state->stopped) return;
      state->running = true;
    }
  }
}

void MemoryRead::finish(Status status) {
  {
    auto state = state_.lock();
    if (std::exchange(state->done, true)) return;
  }
  sink_->on_done(std::move(status));
}

}  // namespace lazyvol::git
