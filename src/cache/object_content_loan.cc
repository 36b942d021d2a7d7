// The half of ObjectContent that lends its file out whole. docs/cache.md, "Loans".
#include "cache/object_content.h"
#include "cache/object_store.h"

namespace lazyvol::cache {

std::uint64_t ObjectContent::take_away(State& state, std::uint32_t group, std::uint64_t mask) {
  const std::uint64_t gone = state.groups.drop(group, mask);
  if (gone != 0) store_.forget_proof(state.id);
  return gone;
}

bool ObjectContent::whole(State& state, bool verified) const {
  for (std::uint32_t number = 0; number < state.groups.count(); ++number) {
    const BlockGroup* group = group_in(state, number);
    if (group == nullptr) return false;
    const std::uint64_t there = verified ? group->durable & group->verified : group->present;
    if (there != state.groups.existing(number)) return false;
  }
  return true;
}

Status ObjectContent::prove(const std::function<bool()>& go_on) {
  {
    auto state = state_.lock();
    if (state->id == 0 || !whole(*state, false)) return Error{Code::not_found, "not all is here"};
  }
  for (std::uint64_t block = 0; block < layout_.count(); ++block) {
    if (block % kGroupBlocks == 0 && !go_on()) return Error{Code::cancelled, "closing"};
    {
      auto state = state_.lock();
      const BlockGroup* group = group_in(*state, ObjectGroups::group_of(block));
      const std::uint64_t bit = ObjectGroups::bit_of(block);
      if (group != nullptr && (group->durable & group->verified & bit) != 0) continue;
      if (group != nullptr && (group->present & ~group->durable & bit) != 0) {
        return Error{Code::busy, "not all of it is on the disk yet"};
      }
    }
    LAZYVOL_TRY(check(block));
  }
  auto state = state_.lock();
  if (state->id == 0 || state->removing || !whole(*state, true)) {
    return Error{Code::busy, "it changed meanwhile"};
  }
  store_.note_proved(state->id);
  return {};
}

std::unique_ptr<LocalFile> ObjectContent::lend() {
  auto state = state_.lock();
  if (state->id == 0 || state->removing) return nullptr;
  if (!store_.proved(state->id)) {
    // Whether all of a content is there whose rows are not in memory is the prover's to read.
    if (state->all_loaded && !whole(*state, false)) return nullptr;
    state.unlock();
    store_.prove_later(shared_from_this());
    return nullptr;
  }
  const auto file = file_in(*state);
  if (!file.ok()) return nullptr;
  const auto size = (*file)->size();
  if (!size.ok() || *size != layout_.size) return nullptr;  // somebody else was at it
  if (!(*file)->was_lent() && !(*file)->mark_lent().ok()) return nullptr;
  const int fd = (*file)->duplicate();
  if (fd < 0) return nullptr;
  note_loan(*state);
  state->loans++;
  state.unlock();
  note_dirty();
  return std::make_unique<LocalFile>(
      fd, std::shared_ptr<const void>(
              this, [self = shared_from_this()](const void*) { self->end_loan(); }));
}

bool ObjectContent::punchable(State& state) const {
  if (state.loans > 0) return false;
  const auto file = file_in(state);
  return file.ok() && !(*file)->was_lent();
}

bool ObjectContent::whole_only() {
  auto state = state_.lock();
  return state->id != 0 && !punchable(*state);
}

bool ObjectContent::lent() const {
  return state_.lock()->loans > 0;
}

/// Reads that nobody sees count as one use of all of it when the loan begins, and one when it ends.
void ObjectContent::note_loan(State& state) {
  const std::uint64_t now = coarse_now_ms();
  state.groups.for_each([&](std::uint32_t number, BlockGroup& group) {
    const bool promoted = record_read(group.use, now, false);
    if (promoted || now >= group.persisted_use_ms + kPersistEveryMs) state.groups.queue(number);
  });
}

void ObjectContent::end_loan() {
  auto state = state_.lock();
  state->loans--;
  note_loan(*state);
  state.unlock();
  note_dirty();
}

}  // namespace lazyvol::cache
