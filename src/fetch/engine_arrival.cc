// Bytes arrive: on the source's thread, in order, for one attempt at a time.
#include <algorithm>
#include <utility>

#include "fetch/engine.h"

namespace lazyvol::fetch {

Flow Engine::attempt_started(Attempt& attempt, const ReadStart& start) {
  Activity busy(*this);
  Effects fx;
  Flow flow = Flow::abort;
  {
    auto state = state_.lock();
    if (attempt.detached) return Flow::abort;
    const ContentRef& ref = attempt.request->content->ref();
    const bool other_version = (!ref.validator.empty() && start.validator != ref.validator) ||
                               start.total_size != ref.size;
    if (other_version) {
      attempt.refusal = Error{Code::stale, ref.path + ": the origin has another version"};
    } else if (start.offset == attempt.offset && start.length > 0 &&
               start.length <= attempt.length) {
      if (attempt.length < ref.size) state->ranges_doubtful = false;
      attempt.promised = start.length;
      flow = Flow::proceed;
    } else if (start.offset == 0 && start.length == ref.size) {
      attempt.promised = start.length;
      if (begin_whole(*state, attempt, fx)) flow = Flow::proceed;
    } else {
      attempt.refusal = Error{Code::corrupt, ref.path + ": the answer is not the range asked for"};
    }
  }
  run(fx);
  return flow;
}

void Engine::received(Attempt& attempt, std::size_t bytes) {
  const auto now = base::system_clock().now();
  attempt.received += bytes;
  attempt.touch(now);
  last_progress_.store(now.time_since_epoch().count(), std::memory_order_relaxed);
  Counters::add(counters_->bytes_fetched, bytes);
}

bool Engine::open_block(Attempt& attempt) {
  Effects fx;
  {
    auto state = state_.lock();
    if (attempt.detached) return false;
    Request& request = *attempt.request;
    attempt.block_length = request.content->layout().length_of(attempt.block);
    attempt.filled = 0;
    attempt.open = true;
    if (request.whole && !open_whole_block(attempt, fx)) return true;  // skipped
    if (request.reserved < attempt.block_length) {
      pool_->reserve_anyway(attempt.block_length - request.reserved);
      request.reserved = attempt.block_length;
    }
    attempt.buffer = pool_->take(attempt.block_length);
    request.reserved -= attempt.block_length;
    // A stream without end in sight holds one more block, for what the current chunk brings beyond.
    if (request.whole && request.reserved < model::kBlockSize) {
      attempt.hungry = !pool_->reserve(model::kBlockSize, pool_->budget());
      if (!attempt.hungry) request.reserved += model::kBlockSize;
    }
  }
  return true;
}

void Engine::block_complete(Attempt& attempt) {
  Activity busy(*this);
  Effects fx;
  auto buffer = std::exchange(attempt.buffer, nullptr);
  const std::uint64_t block = attempt.block++;
  attempt.open = false;
  attempt.filled = 0;
  if (!buffer) return;  // skipped
  {
    auto state = state_.lock();
    if (!attempt.detached) {
      Request& request = *attempt.request;
      if (!request.whole) request.first = block + 1;
      Flight* flight = request.content->flights().find(block);
      if (flight != nullptr && !flight->bytes) {
        fx.garbage.push_back(std::exchange(flight->request, nullptr));
        flight->bytes = buffer;
        for (auto& waiter : std::exchange(flight->waiters, {})) {
          fx.deliveries.push_back({std::move(waiter), buffer});
        }
        fx.stores.push_back({request.content, block, buffer});
        ++state->stores;
      }
    }
  }
  buffer.reset();  // memory is free when the effects are done with it, before the pump looks
  run(fx);
}

Flow Engine::pause_for_memory(Attempt& attempt) {
  auto state = state_.lock();
  attempt.hungry = false;
  if (attempt.detached) return Flow::abort;
  if (pool_->reserve(model::kBlockSize, pool_->budget())) {
    attempt.request->reserved += model::kBlockSize;
    return Flow::proceed;
  }
  attempt.paused = true;
  state->starved.push_back(attempt.shared_from_this());
  return Flow::pause;
}

}  // namespace lazyvol::fetch
