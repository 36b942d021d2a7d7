// The connections of one sftp source: opened when they are needed, closed when they are idle.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/locked.h"
#include "lazyvol/error.h"
#include "source/sftp_connection.h"

namespace lazyvol::source {

class SftpPool;

/// One operation's share of a connection; the connection stays open while it lasts.
class SftpLease {
 public:
  SftpLease(std::shared_ptr<SftpPool> pool, std::shared_ptr<SftpConnection> connection, bool bulk)
      : pool_(std::move(pool)), connection_(std::move(connection)), bulk_(bulk) {}
  ~SftpLease();
  SftpLease(const SftpLease&) = delete;
  SftpLease& operator=(const SftpLease&) = delete;
  SftpConnection& connection() const { return *connection_; }
  std::shared_ptr<SftpConnection> share() const { return connection_; }

 private:
  const std::shared_ptr<SftpPool> pool_;
  const std::shared_ptr<SftpConnection> connection_;
  const bool bulk_;
};

/// Thread-safe.
class SftpPool : public std::enable_shared_from_this<SftpPool> {
 public:
  enum class Kind { metadata, bulk };
  /// Gets a lease, on its connection's thread, or why there is none (then on any thread, possibly
  /// inline).
  using Start = std::function<void(Result<std::shared_ptr<SftpLease>>)>;

  /// `display` names the source in the log.
  SftpPool(const SftpConnection::Settings& settings, std::string display,
           std::uint32_t max_connections)
      : settings_(settings), display_(std::move(display)), max_connections_(max_connections) {}
  ~SftpPool();

  /// Runs `start` on the connection with the least to do: bulk reads spread, metadata keeps clear
  /// of them. Opens one more when that helps. After a refused login nobody knocks again for 5 s,
  /// then 10, up to 60, unless the credentials change: those who ask get the same refusal.
  void run(Kind kind, Start start);
  /// Ends all connections and joins their threads; whoever waits gets cancelled. Idempotent.
  void stop();

 private:
  friend class SftpLease;
  struct Thread {
    std::thread thread;
    std::shared_ptr<std::atomic<bool>> finished;  // nothing of it is left but to be joined
  };
  enum class Stage { opening, open, closing };
  struct Member {
    std::shared_ptr<SftpConnection> connection;
    Thread thread;
    Stage stage = Stage::opening;
    unsigned bulk = 0, metadata = 0;
  };
  struct Waiting {
    Kind kind;
    Start start;
  };
  struct Refusal {
    Error error;
    std::shared_ptr<const net::HttpIdentity> identity;  // that was refused
    base::Monotonic until;
  };
  struct State {
    std::list<Member> members;
    std::vector<Thread> ended;    // to be joined
    std::deque<Waiting> waiting;  // while no connection is open
    std::optional<Refusal> refusal;
    unsigned refusals = 0;  // in a row
    std::string logged;     // the refusal that the log has
    std::uint32_t next_number = 0;
    bool stopping = false;
  };

  Member* least_busy(State& state, Kind kind) const;
  bool wants_more(const State& state, Kind kind, const Member* best) const;
  std::optional<Error> refused(State& state) const;
  void open_one(State& state);
  void start_on(State& state, Member& member, Waiting waiting);
  void opened(const SftpConnection* connection);
  void ended(const SftpConnection* connection, std::optional<Error> why);
  bool may_close(const SftpConnection* connection);
  void note_refusal(State& state, const Error& why);
  void release(const SftpConnection* connection, bool bulk);
  static Member* find(State& state, const SftpConnection* connection);
  static std::vector<Thread> take_finished(State& state);
  static void join(std::vector<Thread> threads);

  const SftpConnection::Settings settings_;
  const std::string display_;
  const std::uint32_t max_connections_;
  base::Locked<State> state_;
};

}  // namespace lazyvol::source
