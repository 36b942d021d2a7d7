// Bytes arrive: on the source's thread, in order, for one attempt at a time.
#include <algorithm>
#include <utility>

#include "fetch/engine.h"

namespace lazyvol::fetch {

Flow Engine::attempt_started(Attempt& attempt, const ReadStart& start) {
  Activity busy(occupancy_);
  Effects fx;
  Flow flow = Flow::abort;
  {
    auto state = state_.lock();
    if (attempt.detached) return Flow::abort;
    const ContentRef& ref = attempt.request->content->ref();
    const bool other_version = (!ref.validator.empty() && start.validator != ref.validator) ||
                               start.total_size != ref.size;
    if (other_version) {
      attempt.refusal = Error{Code::stale, "the origin has another version"};
    } else if (start.offset == attempt.offset && start.length > 0 &&
               start.length <= attempt.length) {
      if (attempt.length < ref.size) state->ranges_doubtful = false;
      attempt.promised = start.length;
      flow = Flow::proceed;
    } else if (start.offset == 0 && start.length == ref.size) {
      attempt.promised = start.length;
      if (begin_whole(*state, attempt, fx)) flow = Flow::proceed;
    } else {
      attempt.refusal = Error{Code::corrupt, "the answer is not the range asked for"};
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
    attempt.check_flow = request.whole;
  }
  return true;
}

void Engine::block_complete(Attempt& attempt) {
  Activity busy(occupancy_);
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
        fx.stores.push_back({request.content, block});
        flight->arrival = state->next_arrival++;
        state->unstored[flight->arrival] = {request.content.get(), block,
                                            base::system_clock().now()};
        ++state->stores;
      }
    }
  }
  buffer.reset();  // memory is free when the effects are done with it, before the pump looks
  run(fx);
}

Flow Engine::flow_of(Attempt& attempt) {
  auto state = state_.lock();
  attempt.check_flow = false;
  if (attempt.detached) return Flow::abort;
  Request& request = *attempt.request;
  // A stream holds memory for one more block, where what the next chunk brings beyond this one
  // goes.
  if (request.reserved < model::kBlockSize) {
    if (!pool_->reserve(model::kBlockSize, pool_->budget())) {
      attempt.paused = true;
      state->starved.push_back(attempt.shared_from_this());
      return Flow::pause;
    }
    request.reserved += model::kBlockSize;
  }
  if (!stream_is_ahead(*state, *request.content)) return Flow::proceed;
  attempt.paused = attempt.awaits_reader = true;
  return Flow::pause;
}

}  // namespace lazyvol::fetch
