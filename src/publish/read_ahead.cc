#include "publish/read_ahead.h"

#include <utility>

namespace lazyvol::publish {

class ReadAhead::Sink final : public ContentSink {
 public:
  Sink(ReadAhead& owner, Slot& slot) : owner_(owner), slot_(slot) {}
  bool whole(Chunk chunk) override { return put(FilePart::Kind::whole, std::move(chunk)); }
  bool chunk(Chunk chunk) override { return put(FilePart::Kind::chunk, std::move(chunk)); }
  bool hole(std::uint64_t length) override {
    FilePart part;
    part.kind = FilePart::Kind::hole;
    part.hole = length;
    return owner_.put(slot_, std::move(part));
  }
  bool restart() override {
    FilePart part;
    part.kind = FilePart::Kind::restart;
    return owner_.put(slot_, std::move(part));
  }

 private:
  bool put(FilePart::Kind kind, Chunk chunk) {
    owner_.progress_.bytes_read.fetch_add(chunk.bytes.size(), std::memory_order_relaxed);
    FilePart part;
    part.kind = kind;
    part.chunk = std::move(chunk);
    return owner_.put(slot_, std::move(part));
  }

  ReadAhead& owner_;
  Slot& slot_;
};

ReadAhead::ReadAhead(const Fd& root, const Tree& tree, std::span<const std::uint32_t> files,
                     Chunks chunks, const Limits& limits, unsigned threads, Progress& progress)
    : root_(root),
      tree_(tree),
      files_(files),
      settings_{chunks, limits.settle_ns},
      limits_(limits),
      progress_(progress),
      workers_("lv-read", threads) {
  for (unsigned i = 0; i < threads; ++i) workers_.submit([this] { work(); });
}

ReadAhead::~ReadAhead() {
  state_.lock()->stopping = true;
  room_.notify_all();
  workers_.stop();
}

bool ReadAhead::may_begin(const State& state) const {
  return state.stopping || state.begun == files_.size() || state.slots.empty() ||
         (state.bytes < limits_.ahead_bytes && state.slots.size() < limits_.ahead_files);
}

// The first in line must never wait for those behind it.
bool ReadAhead::may_put(const State& state, const Slot& slot) const {
  if (state.stopping) return true;
  if (state.slots.front().get() == &slot) return slot.bytes < limits_.file_ahead_bytes;
  return state.bytes < limits_.ahead_bytes;
}

void ReadAhead::work() {
  while (true) {
    auto state = state_.lock();
    room_.wait(state.native(), [&] { return may_begin(*state); });
    if (state->stopping || state->begun == files_.size()) return;
    const std::uint32_t number = files_[state->begun++];
    const auto slot = std::make_shared<Slot>();
    state->slots.push_back(slot);
    state.unlock();

    Sink sink(*this, *slot);
    auto facts =
        read_content(root_, tree_.path(number), tree_.nodes[number].stamp, settings_, sink);
    if (facts.ok()) {
      FilePart end;
      end.facts = *std::move(facts);
      put(*slot, std::move(end));
    } else {
      const auto failed = state_.lock();
      slot->failure = std::move(facts).error();
      filled_.notify_one();
    }
  }
}

bool ReadAhead::put(Slot& slot, FilePart part) {
  if (progress_.stop().stop_requested()) return false;
  const std::size_t bytes = part.chunk.bytes.size();
  auto state = state_.lock();
  room_.wait(state.native(), [&] { return may_put(*state, slot); });
  if (state->stopping) return false;
  slot.bytes += bytes;
  state->bytes += bytes;
  slot.parts.push_back(std::move(part));
  if (state->slots.front().get() == &slot) filled_.notify_one();
  return true;
}

Result<FilePart> ReadAhead::next() {
  auto state = state_.lock();
  while (true) {
    if (!state->slots.empty()) {
      Slot& slot = *state->slots.front();
      if (!slot.parts.empty()) {
        FilePart part = std::move(slot.parts.front());
        slot.parts.pop_front();
        slot.bytes -= part.chunk.bytes.size();
        state->bytes -= part.chunk.bytes.size();
        if (part.kind == FilePart::Kind::end) state->slots.pop_front();
        state.unlock();
        room_.notify_all();
        progress_.tick();
        return part;
      }
      if (slot.failure) return *slot.failure;
    }
    filled_.wait_for(state.native(), Progress::kInterval);
    state.unlock();
    progress_.tick();
    LAZYVOL_TRY(progress_.check());
    state = state_.lock();
  }
}

}  // namespace lazyvol::publish
