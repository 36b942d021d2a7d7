// Servers without ranges: one stream brings the whole object, for everybody who wants a part of it.
//
// The stream stores every block that passes. Readers of later blocks wait until it gets there; a
// block that it has passed (and that the cache lost meanwhile) waits for its end, and for the next
// one. When the cache does not store, the stream waits for its reader instead of running ahead. It
// goes on when its readers leave once its first block is through, because starting again would cost
// all of it. One stream per content at a time.
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "fetch/engine.h"

namespace lazyvol::fetch {

/// The answer to `attempt` is the whole object. False: another stream brings it already.
bool Engine::begin_whole(State& state, Attempt& attempt, Effects& fx) {
  const auto request = attempt.request;
  ContentImpl& content = *request->content;
  ContentFlights& flights = content.flights();
  state.ranges_doubtful = true;
  if (!state.warned_whole) {
    state.warned_whole = true;
    base::log_warn("{}: the server does not support ranges; whole files are fetched", display_);
  }
  if (flights.whole && flights.whole != request) {
    detach_attempt(request, fx);
    request->state = Request::State::idle;
    hand_to_whole(request, fx);
    return false;
  }
  flights.whole = request;
  request->whole = true;
  request->first = 0;
  request->end = content.layout().count();
  Counters::add(counters_->whole_fetches);

  // What was begun is of no use: the stream starts at byte 0.
  fx.garbage.push_back(std::exchange(attempt.buffer, nullptr));
  attempt.open = false;
  attempt.filled = 0;
  attempt.block = 0;
  const std::uint64_t enough = bytes_of(*request);
  if (request->reserved > enough) {
    pool_->release(request->reserved - enough);
    request->reserved = enough;
  }
  // Those that wait for their turn join; other requests in flight find out when they are answered.
  for (auto& [block, flight] : flights.blocks) {
    auto& other = flight.request;
    if (!other || other == request || other->state == Request::State::active) continue;
    state.queue.remove(other);
    drop_partial(state, *other, fx);
    request->priority = std::min(request->priority, other->priority);
    fx.garbage.push_back(std::exchange(other, request));
  }
  return true;
}

/// Readies the next block of a whole-object stream. False: its bytes are skipped.
bool Engine::open_whole_block(Attempt& attempt, Effects& fx) {
  const auto request = attempt.request;
  ContentImpl& content = *request->content;
  ContentFlights& flights = content.flights();
  request->first = attempt.block + 1;
  Flight* flight = flights.find(attempt.block);
  if (flight == nullptr) {
    if (content.cached().has(attempt.block)) return false;
    flight = &flights.blocks[attempt.block];
    flight->request = request;
    return true;
  }
  if (flight->bytes) return false;
  // Parked, or asked for by another request in flight: that one will be answered with the whole
  // object, too, and be sent away.
  if (flight->request != request) fx.garbage.push_back(std::exchange(flight->request, request));
  return true;
}

/// Leaves what a request was to bring to the content's stream: blocks that it has passed wait for
/// its end.
void Engine::hand_to_whole(const std::shared_ptr<Request>& request, Effects& fx) {
  ContentFlights& flights = request->content->flights();
  for (std::uint64_t block = request->first; block < request->end; ++block) {
    Flight* flight = flights.find(block);
    if (flight == nullptr || flight->request != request) continue;
    flight->request = block >= flights.whole->first ? flights.whole : nullptr;
  }
  wake(*flights.whole, fx);
  fx.garbage.push_back(request);
}

/// True when the cache does not store, the memory for such blocks is full, and nobody waits: what
/// came now would push out what a reader is about to ask for. The stream pauses until it is wanted.
bool Engine::stream_is_ahead(const State& state, ContentImpl& content) const {
  if (!state.bypass || state.kept_bytes + 2 * model::kBlockSize <= kept_capacity()) return false;
  const auto& blocks = content.flights().blocks;
  return std::none_of(blocks.begin(), blocks.end(),
                      [](const auto& f) { return !f.second.bytes && f.second.wanted(); });
}

void Engine::settle_whole(State& state, const std::shared_ptr<Request>& request, Attempt& attempt,
                          std::optional<Error> error, Effects& fx) {
  ContentFlights& flights = request->content->flights();
  const std::uint64_t passed = attempt.block;
  if (!error) return ask_again(state, request, fx);

  // From the start again, if anybody still waits. Only getting further than before is progress.
  if (passed > request->furthest) {
    request->furthest = passed;
    request->retries = 0;
  }
  request->progress = attempt.received > 0 ? attempt.last_byte() : request->progress;
  request->first = 0;
  const bool wanted = std::any_of(flights.blocks.begin(), flights.blocks.end(), [](const auto& f) {
    return !f.second.bytes && f.second.wanted();
  });
  if (!wanted) return abandon(state, request, fx);
  retry_or_fail(state, request, *std::move(error), fx);
}

/// True when a stream, gone since, took over blocks of this request in flight.
bool Engine::lost_blocks(const Request& request) const {
  for (std::uint64_t block = request.first; block < request.end; ++block) {
    const Flight* flight = request.content->flights().find(block);
    if (flight == nullptr || flight->request.get() != &request) return true;
  }
  return false;
}

/// The request is over; what of it is still wanted (and what was parked) is asked for anew.
void Engine::ask_again(State& state, const std::shared_ptr<Request>& request, Effects& fx) {
  ContentFlights& flights = request->content->flights();
  std::vector<std::uint64_t> left;
  for (auto it = flights.blocks.begin(); it != flights.blocks.end();) {
    Flight& flight = it->second;
    const bool unfinished = flight.parked() || flight.request == request;
    if (unfinished && flight.wanted()) {
      flight.request.reset();
      left.push_back(it->first);
    } else if (unfinished) {
      fx.flights.push_back(std::move(flight));
      it = flights.blocks.erase(it);
      continue;
    }
    ++it;
  }
  if (flights.whole == request) flights.whole.reset();
  std::sort(left.begin(), left.end());
  RequestContext ctx;
  ctx.priority = request->priority;
  ctx.cause = request->cause;
  ctx.pid = request->pid;
  ask(state, request->content, left, ctx, fx);
}

}  // namespace lazyvol::fetch
