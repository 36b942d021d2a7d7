// Where LFS objects can be had just now: asked of their servers in batches, and remembered for as
// long as the servers say.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/locked.h"
#include "git/access.h"
#include "git/lfs_batch.h"
#include "git/lfs_endpoint.h"
#include "git/object_name.h"
#include "lazyvol/error.h"
#include "net/waiting_http.h"
#include "source/registry.h"

namespace lazyvol::git {

/// What it takes to have an object.
struct LfsGrant {
  LfsAction action;
  /// Who may be said to ask, beside the action's own fields: on the API's origin whoever the API
  /// let in, unless the action has a login of its own; elsewhere nobody.
  std::shared_ptr<const net::HttpIdentity> identity;
};

/// Owns the thread "lv-git-lfs", which waits for servers. Thread-safe.
class LfsActions {
 public:
  /// Actions that are remembered, and objects that are said to be likely.
  static constexpr std::size_t kMaxActions = 20'000, kMaxExpected = 10'000;

  struct Settings {
    std::shared_ptr<Access> access;
    std::filesystem::path git_dir;  ///< any repository of ours
    std::chrono::milliseconds io_timeout{10'000};
  };
  using Done = std::function<void(Result<LfsGrant>)>;

  LfsActions(Settings settings, source::SourceEnvironment environment);
  /// As stop().
  ~LfsActions();

  /// Where the objects of a remote are. None is an error of those who want one.
  void set_endpoint(std::uint16_t remote, LfsEndpoint endpoint);
  std::optional<LfsEndpoint> endpoint(std::uint16_t remote) const;

  /// Calls `done` inline when it is known, else on the thread when the server has answered. One
  /// attempt. Errors: access_denied, those of net::fetch_body, hopeless() for what is not there.
  void want(const LfsPlace& place, Done done);
  /// These go with the next batch that somebody waits for, as far as there is room.
  void expect(std::vector<LfsPlace> places);
  /// The server of `url` did not take it: the next want() asks again.
  void forget(const LfsPlace& place, const std::string& url);

  /// When something last came of what is under way, for deadlines.
  std::chrono::steady_clock::time_point progress() const;
  /// Ends what is under way and waits, all with cancelled. Idempotent; not from a callback.
  void stop();

 private:
  using TimePoint = std::chrono::steady_clock::time_point;
  struct Known {
    LfsGrant grant;
    TimePoint until;
  };
  struct Waiting {
    LfsPlace place;
    std::vector<Done> done;
  };
  struct State {
    std::map<std::uint16_t, LfsEndpoint> endpoints;
    std::unordered_map<std::string, Known> known;  ///< by object_name.h's name, as all below
    std::unordered_map<std::string, Waiting> waiting;
    std::deque<std::string> order;  ///< of `waiting`
    std::deque<LfsPlace> expected;
    bool busy = false, stopping = false;
    TimePoint progress{};
  };
  struct Batch {
    std::uint16_t remote = 0;
    std::optional<LfsEndpoint> endpoint;
    std::vector<LfsPointer> objects;
    std::vector<std::pair<std::string, Waiting>> waiting;
  };
  /// Whom the API of a remote was asked as: of an ssh server's word, or a credential helper's.
  struct Login {
    LfsAction action;
    std::optional<TimePoint> until;
    std::shared_ptr<const net::HttpIdentity> identity;
  };

  using Grants = std::map<std::string, Result<LfsGrant>, std::less<>>;  ///< by oid

  void run();
  bool take(Batch& batch);
  void serve(Batch& batch);
  static void remember(State& state, const std::string& name, const LfsGrant& grant,
                       TimePoint asked);
  Result<Grants> ask(const Batch& batch);
  LfsGrant grant(const LfsAction& action, const Login& login) const;
  Result<Grants> ask_as(const Login& login, const Batch& batch);
  std::shared_ptr<const net::HttpIdentity> another_identity(const Login& login);
  Result<Login> login(const LfsEndpoint& endpoint);
  Patience patience() const;

  const Settings settings_;
  const source::SourceEnvironment environment_;
  net::WaitingHttp http_;
  std::map<std::uint16_t, Login> logins_;  // the thread's
  base::Locked<State> state_;
  std::condition_variable wake_;
  std::thread thread_;
};

}  // namespace lazyvol::git
