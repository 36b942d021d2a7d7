// Who wants which block: readers and wants join flights, and leave them.
#include <algorithm>
#include <utility>

#include "fetch/engine.h"

namespace lazyvol::fetch {
namespace {

/// Blocks that a want() looks at per hold of the lock.
constexpr int kStepsPerLock = 1024;

}  // namespace

std::optional<Error> Engine::refusal(const State& state, ContentImpl& content) const {
  if (state.stopping) return Error{Code::cancelled, "the volume is being closed"};
  if (content.stale()) {
    return Error{Code::stale, "this version is gone at the origin"};
  }
  const ContentFlights& flights = content.flights();
  if (flights.failed && base::system_clock().now() < flights.failed_until) return flights.failed;
  return std::nullopt;
}

void Engine::read_missing(std::shared_ptr<ContentImpl> content, std::vector<Piece> missing,
                          std::size_t total, RequestContext ctx, Content::ReadDone done) {
  Activity busy(occupancy_);
  if (ctx.stop.stop_requested()) {
    Counters::add(counters_->cancelled);
    return done(Error{Code::cancelled, "interrupted"});
  }
  // A block may have been stored since the caller looked: look again under the lock, where a block
  // is either in flight or, if it was stored, in the cache. Reading it happens outside, before
  // anything is joined. A cache that says it has what it cannot read is believed once only.
  for (int round = 0;; ++round) {
    std::vector<Piece> again;
    std::shared_ptr<PendingRead> read;
    std::optional<Error> refused;
    Effects fx;
    {
      auto state = state_.lock();
      bool all_in_flight = true;
      for (const Piece& piece : missing) {
        if (content->flights().find(piece.block) != nullptr) continue;
        all_in_flight = false;
        if (round < 2 && content->cached().has(piece.block)) again.push_back(piece);
      }
      if (again.empty()) {
        if (!all_in_flight || state->stopping) refused = refusal(*state, *content);
        if (!refused) read = join(*state, content, missing, total, ctx, std::move(done), fx);
      }
    }
    if (refused) {
      if (refused->code == Code::cancelled) Counters::add(counters_->cancelled);
      return done(*std::move(refused));
    }
    if (read) {
      read->arm(ctx.stop,
                [self = shared_from_this(), content, weak = std::weak_ptr<PendingRead>(read)] {
                  auto waiting = weak.lock();
                  if (!waiting) return;
                  Activity inside(self->occupancy_);
                  self->detach(*content, waiting);
                  waiting->fail(Error{Code::cancelled, "interrupted"});
                });
      return run(fx);
    }
    for (const Piece& piece : again) {
      if (!content->cached().read(piece.block, piece.offset, piece.out).ok()) continue;
      Counters::add(counters_->hit_bytes, piece.out.size());
      std::erase_if(missing, [&](const Piece& p) { return p.block == piece.block; });
    }
    if (missing.empty()) return done(total);
  }
}

std::shared_ptr<PendingRead> Engine::join(State& state, const std::shared_ptr<ContentImpl>& content,
                                          const std::vector<Piece>& pieces, std::size_t total,
                                          const RequestContext& ctx, Content::ReadDone done,
                                          Effects& fx) {
  auto read = std::make_shared<PendingRead>(total, pieces.size(), pieces.front().block,
                                            pieces.back().block, std::move(done), counters_);
  std::vector<std::uint64_t> fresh;
  ContentFlights& flights = content->flights();
  for (const Piece& piece : pieces) {
    Flight* flight = flights.find(piece.block);
    if (flight == nullptr) {
      fresh.push_back(piece.block);
      flights.blocks[piece.block].waiters.push_back(Waiter{read, piece});
    } else if (flight->bytes) {
      fx.deliveries.push_back({Waiter{read, piece}, flight->bytes});
    } else {
      flight->waiters.push_back(Waiter{read, piece});
      if (flight->request) raise(state, flight->request, piece.block, ctx.priority, fx);
    }
  }
  ask(state, content, fresh, ctx, fx);
  return read;
}

/// Makes requests for `blocks` (ascending; each has a new flight).
void Engine::ask(State& state, const std::shared_ptr<ContentImpl>& content,
                 const std::vector<std::uint64_t>& blocks, const RequestContext& ctx, Effects& fx) {
  if (blocks.empty()) return;
  ContentFlights& flights = content->flights();
  if (flights.whole) {
    for (const std::uint64_t block : blocks) {
      if (block >= flights.whole->first) flights.find(block)->request = flights.whole;
    }
    state.queue.raise(flights.whole, ctx.priority);
    return wake(*flights.whole, fx);
  }
  const auto now = base::system_clock().now();
  const std::uint64_t most = options_.max_request_bytes / model::kBlockSize;
  std::shared_ptr<Request> request;
  for (const std::uint64_t block : blocks) {
    if (!request || block != request->end || request->end - request->first >= most) {
      if (request) state.queue.add(request);
      request = std::make_shared<Request>();
      request->content = content;
      request->first = block;
      request->priority = ctx.priority;
      request->age = state.next_age++;
      request->cause = ctx.cause;
      request->pid = ctx.pid;
      request->created = now;
    }
    request->end = block + 1;
    flights.find(block)->request = request;
  }
  state.queue.add(request);
  arm_tick(state, now + tick_interval());
}

/// A more urgent reader needs `block` of a request: when it still waits, the part from that block
/// on goes ahead. One in flight is the source's to hurry.
void Engine::raise(State& state, std::shared_ptr<Request> request, std::uint64_t block,
                   Priority priority, Effects& fx) {
  wake(*request, fx);
  if (request->priority <= priority) return;
  if (request->state == Request::State::queued && !request->whole && block > request->first) {
    request = split(state, request, block);
  }
  if (request->attempt && request->attempt->transfer) {
    fx.hurries.emplace_back(request->attempt->transfer, priority);
  }
  state.queue.raise(request, priority);
}

/// Lets a stream go on that waited for its reader.
void Engine::wake(const Request& request, Effects& fx) {
  const auto& attempt = request.attempt;
  if (!attempt || !attempt->awaits_reader) return;
  attempt->paused = attempt->awaits_reader = false;
  attempt->touch(base::system_clock().now());
  fx.resumes.push_back(attempt);
}

/// Cuts a queued or delayed request in two; answers with the part from block `at` on, which waits
/// in the same place.
std::shared_ptr<Request> Engine::split(State& state, const std::shared_ptr<Request>& request,
                                       std::uint64_t at) {
  auto tail = std::make_shared<Request>(*request);
  tail->first = at;
  tail->partial.reset();
  tail->partial_length = 0;
  request->end = at;
  for (std::uint64_t block = at; block < tail->end; ++block) {
    if (Flight* flight = request->content->flights().find(block)) flight->request = tail;
  }
  if (request->state == Request::State::delayed) {
    state.queue.delay(tail, request->due);
  } else {
    state.queue.add(tail);
  }
  return tail;
}

void Engine::want(std::shared_ptr<WantOp> op) {
  Activity busy(occupancy_);
  if (op->context.stop.stop_possible()) {
    op->on_stop.emplace(op->context.stop,
                        [self = shared_from_this(), weak = std::weak_ptr<WantOp>(op)] {
                          auto waiting = weak.lock();
                          if (!waiting) return;
                          Activity inside(self->occupancy_);
                          self->cancel_want(waiting);
                        });
  }
  advance(op);
}

/// How many blocks one want() has in flight at most: a prefetch of a huge file must not fill the
/// queue with its millions of blocks.
std::size_t Engine::want_limit() const {
  return std::max(options_.max_readahead, 4 * options_.max_request_bytes) / model::kBlockSize;
}

void Engine::advance(const std::shared_ptr<WantOp>& op) {
  Effects fx;
  bool more = true;
  while (more) {
    auto state = state_.lock();
    more = advance_some(*state, op, fx);
  }
  run(fx);
}

bool Engine::advance_some(State& state, const std::shared_ptr<WantOp>& op, Effects& fx) {
  if (op->finished) return false;
  ContentImpl& content = *op->content;
  ContentFlights& flights = content.flights();
  const std::optional<Error> refused = refusal(state, content);
  std::vector<std::uint64_t> fresh;
  std::uint64_t fresh_bytes = 0;
  for (int steps = 0; op->next < op->end && op->joined.size() < want_limit(); ++op->next) {
    if (++steps > kStepsPerLock) break;
    const std::uint64_t block = op->next;
    Flight* flight = flights.find(block);
    if (flight != nullptr && flight->kept) {
      if (!op->error) op->error = Error{Code::no_space, "the cache does not take blocks now"};
      continue;
    }
    if (flight == nullptr) {
      if (content.cached().has(block)) continue;
      if (refused) {
        op->error = refused;
        op->next = op->end;
        break;
      }
      fresh.push_back(block);
      fresh_bytes += content.layout().length_of(block);
      flight = &flights.blocks[block];
    } else if (flight->request) {
      raise(state, flight->request, block, op->context.priority, fx);
    }
    flight->wants.push_back(op);
    op->joined.insert(block);
  }
  ask(state, op->content, fresh, op->context, fx);
  if (op->context.cause == Cause::readahead) {
    Counters::add(counters_->readahead_bytes, fresh_bytes);
  }
  if (op->next == op->end && op->joined.empty()) {
    finish_want(op, op->error ? Status(*op->error) : Status(), fx);
  }
  return op->next < op->end && op->joined.size() < want_limit();
}

void Engine::finish_want(const std::shared_ptr<WantOp>& op, Status status, Effects& fx) {
  op->finished = true;
  op->next = op->end;
  fx.wants_done.emplace_back(op, std::move(status));
}

void Engine::block_wants_done(Flight& flight, std::uint64_t block, const Status& status,
                              Effects& fx) {
  for (auto& op : flight.wants) {
    if (!op->finished) {
      op->joined.erase(block);
      if (!status.ok() && !op->error) {
        op->error = status.error();
        op->next = op->end;  // what fails once will fail again: no further blocks
      }
      if (op->next == op->end && op->joined.empty()) {
        finish_want(op, op->error ? Status(*op->error) : Status(), fx);
      } else if (op->next < op->end && op->joined.size() <= want_limit() / 2) {
        fx.advances.push_back(op);
      }
    }
    fx.garbage.push_back(std::move(op));
  }
  flight.wants.clear();
}

void Engine::cancel_want(const std::shared_ptr<WantOp>& op) {
  Effects fx;
  {
    auto state = state_.lock();
    if (op->finished) return;
    for (const std::uint64_t block : std::exchange(op->joined, {})) {
      Flight* flight = op->content->flights().find(block);
      if (flight == nullptr) continue;
      std::erase(flight->wants, op);
      drop_interest(*state, *op->content, block, fx);
    }
    finish_want(op, Error{Code::cancelled, "nobody wants it any more"}, fx);
  }
  run(fx);
}

void Engine::detach(ContentImpl& content, const std::shared_ptr<PendingRead>& read) {
  Effects fx;
  {
    auto state = state_.lock();
    for (std::uint64_t block = read->first_block(); block <= read->last_block(); ++block) {
      Flight* flight = content.flights().find(block);
      if (flight == nullptr) continue;
      if (std::erase_if(flight->waiters, [&](const Waiter& w) { return w.read == read; }) == 0) {
        continue;
      }
      drop_interest(*state, content, block, fx);
    }
  }
  if (!fx.empty()) run(fx);
}

/// Called when somebody left the flight of `block`. A request that nobody needs any more is taken
/// back: out of the queue at once, at the source unless it is nearly through.
void Engine::drop_interest(State& state, ContentImpl& content, std::uint64_t block, Effects& fx) {
  ContentFlights& flights = content.flights();
  Flight* flight = flights.find(block);
  if (flight == nullptr || flight->wanted() || flight->bytes) return;
  auto request = flight->request;
  if (!request) {  // parked behind a whole-object stream
    fx.flights.push_back(std::move(*flight));
    flights.blocks.erase(block);
    return;
  }
  fx.garbage.push_back(request);
  if (request->whole) {
    const bool wanted =
        std::any_of(flights.blocks.begin(), flights.blocks.end(),
                    [](const auto& f) { return !f.second.bytes && f.second.wanted(); });
    // Beyond its first block it goes on for the cache's sake: starting again costs all of it.
    if (!wanted && request->first <= 1 && request->furthest == 0) abandon(state, request, fx);
    return;
  }
  if (request->state != Request::State::active) return remove_block(state, request, block, fx);
  if (request->end - request->first <= 1) return;
  for (std::uint64_t b = request->first; b < request->end; ++b) {
    const Flight* other = flights.find(b);
    if (other != nullptr && other->request == request && other->wanted()) return;
  }
  abandon(state, request, fx);
}

/// Takes one block out of a request that waits.
void Engine::remove_block(State& state, const std::shared_ptr<Request>& request,
                          std::uint64_t block, Effects& fx) {
  auto& blocks = request->content->flights().blocks;
  if (block > request->first && block + 1 < request->end) split(state, request, block + 1);
  if (block > request->first) {
    request->end = block;
  } else {
    const bool delayed = request->state == Request::State::delayed;
    state.queue.remove(request);
    ++request->first;
    drop_partial(state, *request, fx);
    if (request->first < request->end) {
      if (delayed) {
        state.queue.delay(request, request->due);
      } else {
        state.queue.add(request);
      }
    }
  }
  auto it = blocks.find(block);
  fx.flights.push_back(std::move(it->second));
  blocks.erase(it);
}

/// Gives up a request that nobody wants.
void Engine::abandon(State& state, const std::shared_ptr<Request>& request, Effects& fx) {
  ContentFlights& flights = request->content->flights();
  if (request->attempt) detach_attempt(request, fx);
  state.queue.remove(request);
  request->state = Request::State::idle;
  for (auto it = flights.blocks.begin(); it != flights.blocks.end();) {
    if (it->second.request != request) {
      ++it;
      continue;
    }
    fx.flights.push_back(std::move(it->second));
    it = flights.blocks.erase(it);
  }
  if (flights.whole == request) fx.garbage.push_back(std::exchange(flights.whole, nullptr));
}

/// Parts a request from its attempt, whose remaining bytes go nowhere. The attempt keeps its slot
/// until the source has answered.
void Engine::detach_attempt(const std::shared_ptr<Request>& request, Effects& fx) {
  auto attempt = std::exchange(request->attempt, nullptr);
  attempt->detached.store(true, std::memory_order_release);
  pool_->release(std::exchange(request->reserved, 0));
  fx.stops.push_back(attempt);
  fx.garbage.push_back(std::move(attempt));
}

}  // namespace lazyvol::fetch
