// Keeps a published volume at its newest revision: looks for a head, fetches what differs,
// switches, and tells the kernel exactly what it must forget.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/locked.h"
#include "base/timer.h"
#include "catalog/tree_diff.h"
#include "volume/published_core.h"
#include "volume/published_heads.h"
#include "volume/waiter.h"

namespace lazyvol::volume {

/// How long until the next look: `interval`, more or less a tenth, so that the nodes of a cluster
/// do not all ask at once. `random` is in [0, 1).
std::chrono::milliseconds next_look(std::chrono::milliseconds interval, double random);

/// What the kernel must forget for `change`, added to `changes`: the name when it shows another
/// node now, the directory that it stands in, the node when its attributes or extended attributes
/// are others. Nothing, and the answer is false, for what nobody sees (where the bytes lie: a
/// publisher gives other bytes another id).
bool add_change(const Revision& before, const Revision& after, const catalog::Change& change,
                TreeChanges& changes);

/// Thread-safe. One look at a time: those who ask while one is under way, which may have read the
/// head before they asked, share the next one.
class PublishedRefresher : public std::enable_shared_from_this<PublishedRefresher> {
 public:
  /// So many changes are known before the switch; a larger difference is told after it, part by
  /// part.
  static constexpr std::size_t kMaxCollected = 200'000;
  static constexpr std::size_t kPart = 10'000;
  static constexpr std::size_t kPagesAtOnce = 64;
  using Done = std::function<void(Result<RefreshReport>)>;

  PublishedRefresher(std::shared_ptr<PublishedCore> core, std::shared_ptr<PublishedHeads> heads)
      : core_(std::move(core)), heads_(std::move(heads)) {}

  /// As Volume::refresh.
  void run(RequestContext ctx, Done done);
  /// Begins to look by itself, if the options want that.
  void schedule();
  /// Why the last look failed; empty when it did not.
  std::string last_error() const { return state_.lock()->error; }
  void cancel_waiters();

 private:
  using Waiters = std::vector<std::shared_ptr<Waiter<RefreshReport>>>;
  struct Pass;  // one refresh that found another head
  struct State {
    bool running = false;
    Waiters waiters;  // for the look under way
    Waiters later;    // for the one after it
    std::string error;
    std::minstd_rand random{std::random_device{}()};
  };
  RequestContext context() const;
  void look();
  void looked(Result<PublishedHeads::Found> found, std::shared_ptr<Activity::Token> token);
  void begin(PublishedHeads::Seen seen, std::shared_ptr<Activity::Token> token);
  void compare(const std::shared_ptr<Pass>& pass);
  void step(const std::shared_ptr<Pass>& pass);
  void bring(const std::shared_ptr<Pass>& pass, const catalog::TreeDiff::Wanted& wanted);
  void switch_uncompared(const std::shared_ptr<Pass>& pass, const Error& why);
  void switch_over(const std::shared_ptr<Pass>& pass);
  void tell(const std::shared_ptr<Pass>& pass);
  void page_failed(const std::shared_ptr<Pass>& pass, const Error& error);
  void complete(Result<RefreshReport> result);
  void on_worker(std::function<void()> task);

  const std::shared_ptr<PublishedCore> core_;
  const std::shared_ptr<PublishedHeads> heads_;
  base::Locked<State> state_;
};

}  // namespace lazyvol::volume
