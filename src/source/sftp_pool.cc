#include "source/sftp_pool.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/workers.h"

namespace lazyvol::source {
namespace {

using std::chrono::seconds;

// sshd turns away what comes while ten others log in (MaxStartups 10:30:100).
constexpr std::size_t kMostOpening = 2;
// A connection is worth one more process at the server when the others have this much to do.
constexpr unsigned kBulkEach = 4;
constexpr seconds kFirstRefusal{5}, kLongestRefusal{60};

}  // namespace

SftpLease::~SftpLease() {
  pool_->release(connection_.get(), bulk_);
}

SftpPool::~SftpPool() {
  stop();
}

SftpPool::Member* SftpPool::find(State& state, const SftpConnection* connection) {
  for (Member& member : state.members) {
    if (member.connection.get() == connection) return &member;
  }
  return nullptr;
}

SftpPool::Member* SftpPool::least_busy(State& state, Kind kind) const {
  Member* best = nullptr;
  const auto load = [kind](const Member& member) {
    constexpr unsigned kBulkWeight = 64;  // what a stat waits for behind a bulk read
    return kind == Kind::bulk ? member.bulk * kBulkWeight + (member.metadata > 0 ? 1 : 0)
                              : member.bulk * kBulkWeight + member.metadata;
  };
  for (Member& member : state.members) {
    if (member.stage == Stage::open && (best == nullptr || load(member) < load(*best)))
      best = &member;
  }
  return best;
}

bool SftpPool::wants_more(const State& state, Kind kind, const Member* best) const {
  const auto opening = static_cast<std::size_t>(
      std::count_if(state.members.begin(), state.members.end(),
                    [](const Member& m) { return m.stage == Stage::opening; }));
  if (state.members.size() >= max_connections_ || opening >= kMostOpening) return false;
  if (best == nullptr) return opening == 0;
  return best->bulk >= (kind == Kind::bulk ? kBulkEach : 1);
}

// The refusal that still holds, if there is one.
std::optional<Error> SftpPool::refused(State& state) const {
  if (!state.refusal) return std::nullopt;
  const bool same = settings_.credentials->current() == state.refusal->identity;
  if (same && base::system_clock().now() < state.refusal->until) return state.refusal->error;
  if (!same) state.refusals = 0;
  state.refusal.reset();
  return std::nullopt;
}

void SftpPool::run(Kind kind, Start start) {
  std::vector<Thread> finished;
  std::optional<Error> error;
  {
    auto state = state_.lock();
    finished = take_finished(*state);
    Member* best = least_busy(*state, kind);
    if (state->stopping) {
      error = Error{Code::cancelled, "shutting down"};
    } else if (auto refusal = refused(*state)) {
      if (best == nullptr) error = std::move(refusal);
    } else if (wants_more(*state, kind, best)) {
      open_one(*state);
    }
    if (!error && best != nullptr) {
      start_on(*state, *best, {kind, std::move(start)});
    } else if (!error) {
      state->waiting.push_back({kind, std::move(start)});
    }
  }
  join(std::move(finished));
  if (error) start(*std::move(error));
}

void SftpPool::open_one(State& state) {
  auto connection = std::make_shared<SftpConnection>(settings_);
  const std::string name = "lv-sftp-" + std::to_string(state.next_number++);
  const SftpConnection* key = connection.get();
  SftpConnection::Events events{
      [self = shared_from_this(), key] { self->opened(key); },
      [self = shared_from_this(), key](std::optional<Error> why) { self->ended(key, why); },
      [self = shared_from_this(), key] { return self->may_close(key); }};
  auto finished = std::make_shared<std::atomic<bool>>(false);
  std::thread thread([connection, name, finished, events = std::move(events)]() mutable {
    base::name_this_thread(name);
    connection->run(events);
    events = {};
    connection.reset();
    *finished = true;
  });
  state.members.push_back({std::move(connection), {std::move(thread), std::move(finished)}});
}

// Hands the operation to the connection's thread. When the connection is ending, its post() refuses
// and the operation waits for another: ended() sees to that.
void SftpPool::start_on(State& state, Member& member, Waiting waiting) {
  const bool bulk = waiting.kind == Kind::bulk;
  ++(bulk ? member.bulk : member.metadata);
  auto start = std::make_shared<Start>(std::move(waiting.start));
  const bool posted = member.connection->post(
      [self = shared_from_this(), connection = member.connection, bulk, start] {
        (*start)(std::make_shared<SftpLease>(self, connection, bulk));
      });
  if (posted) return;
  --(bulk ? member.bulk : member.metadata);
  state.waiting.push_back({waiting.kind, std::move(*start)});
}

void SftpPool::opened(const SftpConnection* connection) {
  auto state = state_.lock();
  Member* member = find(*state, connection);
  if (member == nullptr) return;  // stop() has it
  member->stage = Stage::open;
  state->refusal.reset();
  state->refusals = 0;
  state->logged.clear();
  auto waiting = std::exchange(state->waiting, {});
  for (Waiting& one : waiting) start_on(*state, *member, std::move(one));
}

void SftpPool::note_refusal(State& state, const Error& why) {
  const auto wait = std::min(kFirstRefusal * (1U << std::min(state.refusals, 4U)), kLongestRefusal);
  ++state.refusals;
  state.refusal = Refusal{why, settings_.credentials->current(), base::system_clock().now() + wait};
  if (std::exchange(state.logged, why.message) != why.message) {
    base::log_warn("{}: {}", display_, why.message);
  }
}

void SftpPool::ended(const SftpConnection* connection, std::optional<Error> why) {
  std::deque<Waiting> waiting;
  Error error{Code::unreachable, "the connection ended"};
  {
    auto state = state_.lock();
    const auto member = std::find_if(state->members.begin(), state->members.end(),
                                     [&](auto& m) { return m.connection.get() == connection; });
    if (member == state->members.end()) return;  // stop() has it
    const bool was_open = member->stage != Stage::opening;
    state->ended.push_back(std::move(member->thread));
    state->members.erase(member);
    if (why && why->code == Code::access_denied) note_refusal(*state, *why);
    const bool hope = std::any_of(state->members.begin(), state->members.end(),
                                  [](const Member& m) { return m.stage == Stage::open; });
    if (state->stopping || state->waiting.empty()) return;
    if (hope) {
      auto again = std::exchange(state->waiting, {});
      for (auto& one : again) start_on(*state, *least_busy(*state, one.kind), std::move(one));
      return;
    }
    if (was_open) {  // they came while it ended: another try is theirs
      if (wants_more(*state, Kind::metadata, nullptr)) open_one(*state);
      return;
    }
    waiting.swap(state->waiting);
    if (why) error = *why;
  }
  for (Waiting& one : waiting) one.start(error);
}

bool SftpPool::may_close(const SftpConnection* connection) {
  auto state = state_.lock();
  Member* member = find(*state, connection);
  if (member == nullptr || member->bulk + member->metadata > 0) return false;
  member->stage = Stage::closing;  // takes nothing more
  return true;
}

void SftpPool::release(const SftpConnection* connection, bool bulk) {
  auto state = state_.lock();
  Member* member = find(*state, connection);
  if (member != nullptr) --(bulk ? member->bulk : member->metadata);
}

void SftpPool::stop() {
  std::list<Member> members;
  std::vector<Thread> threads;
  std::deque<Waiting> waiting;
  {
    auto state = state_.lock();
    state->stopping = true;
    members.swap(state->members);
    threads.swap(state->ended);
    waiting.swap(state->waiting);
  }
  for (Member& member : members) {
    member.connection->stop();
    threads.push_back(std::move(member.thread));
  }
  for (Waiting& one : waiting) one.start(Error{Code::cancelled, "shutting down"});
  join(std::move(threads));
}

std::vector<SftpPool::Thread> SftpPool::take_finished(State& state) {
  std::vector<Thread> out;
  std::erase_if(state.ended, [&](Thread& thread) {
    if (!*thread.finished) return false;
    out.push_back(std::move(thread));
    return true;
  });
  return out;
}

void SftpPool::join(std::vector<Thread> threads) {
  for (Thread& one : threads) {
    // The last one to let go of a source may be a callback of its own connection.
    if (one.thread.get_id() == std::this_thread::get_id()) {
      one.thread.detach();
    } else {
      one.thread.join();
    }
  }
}

}  // namespace lazyvol::source
