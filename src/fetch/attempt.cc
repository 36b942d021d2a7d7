#include "fetch/attempt.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "fetch/engine.h"

namespace lazyvol::fetch {

Attempt::Attempt(std::shared_ptr<Engine> engine, std::shared_ptr<Request> of, std::uint64_t from,
                 std::uint64_t bytes)
    : request(std::move(of)),
      offset(from),
      length(bytes),
      engine_(std::move(engine)),
      last_byte_(base::system_clock().now().time_since_epoch().count()) {}

Flow Attempt::on_start(const ReadStart& start) {
  touch(base::system_clock().now());
  return engine_->attempt_started(*this, start);
}

Flow Attempt::on_data(std::span<const std::byte> data) {
  engine_->received(*this, data.size());
  while (!data.empty()) {
    if (detached.load(std::memory_order_acquire)) return Flow::abort;
    if (promised == 0) {
      refusal = Error{Code::corrupt, "the source sent more than it promised"};
      return Flow::abort;
    }
    if (!open && !engine_->open_block(*this)) return Flow::abort;
    const auto n = static_cast<std::uint32_t>(
        std::min<std::uint64_t>({data.size(), promised, block_length - filled}));
    if (buffer) std::memcpy(buffer->bytes().data() + filled, data.data(), n);
    filled += n;
    promised -= n;
    data = data.subspan(n);
    if (filled == block_length) engine_->block_complete(*this);
  }
  return check_flow ? engine_->flow_of(*this) : Flow::proceed;
}

void Attempt::on_done(Status status) {
  // A source may keep its sinks for as long as it likes. The engine holds the source and the cache,
  // so what a sink held on to would end on a thread of the source's own, which cannot join itself.
  // The engine comes to rest only after all of it was let go.
  const Activity inside(engine_->occupancy());
  engine_->attempt_done(shared_from_this(), std::move(status));
  request.reset();
  engine_.reset();
}

}  // namespace lazyvol::fetch
