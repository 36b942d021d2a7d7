#include "fetch/pending_read.h"

#include <cstring>
#include <utility>

namespace lazyvol::fetch {

PendingRead::PendingRead(std::size_t total, std::size_t pieces, std::uint64_t first_block,
                         std::uint64_t last_block, Content::ReadDone done,
                         std::shared_ptr<Counters> counters)
    : total_(total),
      first_block_(first_block),
      last_block_(last_block),
      counters_(std::move(counters)),
      state_(State{pieces, std::move(done)}) {
  Counters::add(counters_->waiting_reads);
}

PendingRead::~PendingRead() = default;

void PendingRead::deliver(const Piece& piece, std::span<const std::byte> block_bytes) {
  Content::ReadDone done;
  {
    auto state = state_.lock();
    if (!state->done) return;
    std::memcpy(piece.out.data(), block_bytes.data() + piece.offset, piece.out.size());
    if (--state->pieces_left > 0) return;
    done = std::exchange(state->done, nullptr);
  }
  Counters::sub(counters_->waiting_reads);
  done(total_);
}

void PendingRead::fail(Error error) {
  Content::ReadDone done;
  {
    auto state = state_.lock();
    if (!state->done) return;
    done = std::exchange(state->done, nullptr);
  }
  Counters::sub(counters_->waiting_reads);
  if (error.code == Code::cancelled) Counters::add(counters_->cancelled);
  done(std::move(error));
}

void PendingRead::arm(const std::stop_token& token, std::function<void()> on_stop) {
  if (token.stop_possible()) on_stop_.emplace(token, std::move(on_stop));
}

}  // namespace lazyvol::fetch
