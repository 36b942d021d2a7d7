#include "fetch/engine.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace lazyvol::fetch {
namespace {

/// A disk that keeps a block waiting for longer while readers want the memory is passed by.
constexpr std::chrono::seconds kSlowDisk{1};

/// A whole-object stream fills one block while it holds memory for the next. With less memory than
/// this for each request in flight they might all wait for each other.
constexpr std::uint64_t kBlocksPerRequest = 2;

FetchOptions sane(FetchOptions options, std::uint64_t memory) {
  options.max_request_bytes = std::max<std::uint64_t>(options.max_request_bytes, model::kBlockSize);
  const std::uint64_t most = memory / (kBlocksPerRequest * model::kBlockSize);
  options.max_requests =
      std::max(1u, static_cast<std::uint32_t>(std::min<std::uint64_t>(options.max_requests, most)));
  return options;
}

/// The budget, with the least that anything can run in.
std::uint64_t sane(std::uint64_t memory) {
  return std::max<std::uint64_t>(memory, 2 * kBlocksPerRequest * model::kBlockSize);
}

}  // namespace

Engine::Engine(std::shared_ptr<Source> source, FetchEnvironment environment, FetchOptions options,
               std::function<void(const ContentRef&)> on_stale)
    : source_(std::move(source)),
      env_(std::move(environment)),
      options_(sane(options, sane(env_.memory_bytes))),
      on_stale_(std::move(on_stale)),
      display_(source_->traits().display),
      pool_(std::make_shared<BufferPool>(sane(env_.memory_bytes))),
      allowance_(memory_limit(Priority::readahead)) {}

std::shared_ptr<Content> Engine::open(ContentRef ref) {
  const auto known = [&](State& state) -> std::shared_ptr<ContentImpl> {
    auto it = state.contents.find(ref.key);
    return it == state.contents.end() ? nullptr : it->second.lock();
  };
  {
    auto state = state_.lock();
    if (auto content = known(*state)) return content;
  }
  auto cached = env_.cache->content(ref.key, ref.size);  // may read the index: not under the lock
  auto fresh = std::make_shared<ContentImpl>(shared_from_this(), ref, std::move(cached));
  auto state = state_.lock();
  if (auto content = known(*state)) {
    state.unlock();
    return content;  // another thread was faster; `fresh` goes
  }
  state->contents[ref.key] = fresh;
  return fresh;
}

void Engine::closed(ContentImpl& content) {
  Activity busy(occupancy_);
  Effects fx;
  {
    auto state = state_.lock();
    auto it = state->contents.find(content.ref().key);
    if (it != state->contents.end() && it->second.expired()) state->contents.erase(it);
    // All that can be left are blocks that the cache would not take.
    for (auto& [block, flight] : content.flights().blocks) {
      if (flight.kept) state->kept_bytes -= flight.bytes->bytes().size();
      fx.flights.push_back(std::move(flight));
    }
    content.flights().blocks.clear();
    std::erase_if(state->kept, [&](const auto& item) { return item.first == &content; });
  }
  if (!fx.empty()) run(fx);
}

FetchStats Engine::stats() const {
  const auto get = [](const Counters::Value& v) { return v.load(std::memory_order_relaxed); };
  const Counters& c = *counters_;
  FetchStats stats;
  stats.reads = get(c.reads);
  stats.bytes_read = get(c.bytes_read);
  stats.hit_bytes = get(c.hit_bytes);
  stats.requests = get(c.requests);
  stats.bytes_fetched = get(c.bytes_fetched);
  stats.retries = get(c.retries);
  stats.failures = get(c.failures);
  stats.stale = get(c.stale);
  stats.cancelled = get(c.cancelled);
  stats.whole_fetches = get(c.whole_fetches);
  stats.readahead_bytes = get(c.readahead_bytes);
  stats.unstored_blocks = get(c.unstored_blocks);
  stats.in_flight_requests = get(c.in_flight_requests);
  stats.in_flight_bytes = pool_->used();
  stats.waiting_reads = get(c.waiting_reads);
  stats.peak_bytes = pool_->peak();
  return stats;
}

void Engine::stop() {
  Effects fx;
  {
    auto state = state_.lock();
    state->stopping = true;
    for (auto& request : state->queue.clear()) fx.garbage.push_back(std::move(request));
    for (const auto& attempt : state->active) {
      if (!attempt->detached) detach_attempt(attempt->request, fx);
    }
    const Error cancelled{Code::cancelled, "the volume is being closed"};
    for (auto& [key, weak] : state->contents) {
      auto content = weak.lock();
      if (!content) continue;
      std::vector<std::uint64_t> blocks;
      for (const auto& [block, flight] : content->flights().blocks) {
        if (flight.arrival == 0) blocks.push_back(block);  // what arrived is still stored
      }
      for (const std::uint64_t block : blocks) fail_block(*content, block, cancelled, fx);
      content->flights().whole.reset();
      fx.garbage.push_back(std::move(content));
    }
    state->kept.clear();
    state->kept_bytes = 0;
    state->partial_bytes = 0;
    state->starved.clear();
    if (state->tick != 0) env_.timer.cancel(std::exchange(state->tick, 0));
  }
  perform(fx);
  occupancy_->wait([&] {
    auto state = state_.lock();
    return state->active.empty() && state->stores == 0;
  });
}

void Engine::run(Effects& effects) {
  perform(effects);
  pump();
}

void Engine::perform(Effects& effects) {
  Effects fx = std::exchange(effects, {});
  for (const auto& delivery : fx.deliveries) {
    delivery.waiter.read->deliver(delivery.waiter.piece, delivery.bytes->bytes());
  }
  fx.deliveries.clear();
  for (const auto& store : fx.stores) {
    auto task = [self = shared_from_this(), store] { self->store(store.content, store.block); };
    if (!env_.disk.submit(std::move(task))) {
      stored(store.content, store.block, Error{Code::cancelled, "no worker takes the block"});
    }
  }
  for (auto& failure : fx.failures) {
    detach(*failure.content, failure.read);
    failure.read->fail(std::move(failure.error));
  }
  for (const auto& attempt : fx.stops) attempt->stop.request_stop();
  for (const auto& attempt : fx.resumes) resume(attempt);
  for (const auto& [transfer, priority] : fx.hurries) transfer->hurry(priority);
  for (auto& [op, status] : fx.wants_done) {
    if (auto done = std::exchange(op->done, nullptr)) done(std::move(status));
  }
  for (const auto& content : fx.stale) {
    if (on_stale_) on_stale_(content->ref());
  }
  for (const auto& op : fx.advances) advance(op);
}

void Engine::resume(const std::shared_ptr<Attempt>& attempt) {
  std::shared_ptr<Transfer> transfer;
  {
    auto state = state_.lock();
    transfer = attempt->transfer;
    if (!transfer) attempt->resume_early = true;
  }
  if (transfer) transfer->resume();
}

void Engine::store(std::shared_ptr<ContentImpl> content, std::uint64_t block) {
  Activity busy(occupancy_);
  std::shared_ptr<BlockBuffer>
      bytes;  // the task itself holds none: a slow disk's queue is no memory
  {
    auto state = state_.lock();
    Flight* flight = content->flights().find(block);
    if (flight != nullptr && flight->arrival != 0) {
      flight->storing = true;
      bytes = flight->bytes;
    }
  }
  Status status = bytes ? content->cached().store(block, std::as_const(*bytes).bytes()) : Status();
  bytes.reset();
  stored(content, block, std::move(status));
}

void Engine::stored(const std::shared_ptr<ContentImpl>& content, std::uint64_t block,
                    Status status) {
  Effects fx;
  {
    auto state = state_.lock();
    --state->stores;
    last_progress_ = base::system_clock().now().time_since_epoch().count();
    auto& blocks = content->flights().blocks;
    auto it = blocks.find(block);
    if (it != blocks.end() && it->second.arrival != 0) {  // else it was shed meanwhile
      Flight& flight = it->second;
      state->bypass = !status.ok();
      if (status.ok()) {
        state->disk_stuck = false;
        state->unstored.erase(flight.arrival);
        block_wants_done(flight, block, status, fx);
        fx.flights.push_back(std::move(flight));
        blocks.erase(it);
      } else {
        keep(*state, *content, block, status.error(), fx);
      }
    }
  }
  run(fx);
}

/// A block that will not be stored lives on in memory for a while: the kernel asks for a block in
/// several requests, and what was fetched ahead shall not be for nothing.
void Engine::keep(State& state, ContentImpl& content, std::uint64_t block, const Error& why,
                  Effects& fx) {
  Flight& flight = *content.flights().find(block);
  Counters::add(counters_->unstored_blocks);
  state.unstored.erase(std::exchange(flight.arrival, 0));
  flight.storing = false;
  flight.kept = true;
  block_wants_done(flight, block, why, fx);
  state.kept.emplace_back(&content, block);
  state.kept_bytes += flight.bytes->bytes().size();
  const std::uint64_t capacity = state.stopping ? 0 : kept_capacity();
  if (state.kept_bytes > capacity) drop_kept(state, state.kept_bytes - capacity, fx);
}

/// Readers wait for memory that a slow disk holds: what it has not begun to store within a moment
/// goes past the cache; and, until it has stored something again, whatever else comes.
void Engine::shed_unstored(State& state, Effects& fx) {
  const auto now = base::system_clock().now();
  const auto before = state.disk_stuck ? now : now - kSlowDisk;
  const Error why{Code::no_space, "the cache disk is too slow"};
  for (auto it = state.unstored.begin(); it != state.unstored.end() && it->second.since < before;) {
    const State::Unstored item = (it++)->second;
    if (item.content->flights().find(item.block)->storing) continue;
    keep(state, *item.content, item.block, why, fx);
    state.disk_stuck = state.bypass = true;
  }
}

void Engine::drop_kept(State& state, std::uint64_t bytes, Effects& fx) {
  for (std::uint64_t dropped = 0; dropped < bytes && !state.kept.empty(); state.kept.pop_front()) {
    auto [content, block] = state.kept.front();
    auto& blocks = content->flights().blocks;
    auto it = blocks.find(block);
    const std::uint64_t length = it->second.bytes->bytes().size();
    dropped += length;
    state.kept_bytes -= length;
    fx.flights.push_back(std::move(it->second));
    blocks.erase(it);
  }
}

}  // namespace lazyvol::fetch
