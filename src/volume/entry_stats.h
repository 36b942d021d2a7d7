// Asks the source about single entries whose listing does not tell enough: single flight, trust by
// token, old answers while the origin cannot be asked, and the next ones of a directory ahead.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/locked.h"
#include "volume/core.h"
#include "volume/listings.h"
#include "volume/stat_ahead.h"
#include "volume/waiter.h"

namespace lazyvol::volume {

/// An entry whose attributes may be shown.
struct KnownEntry {
  cache::StoredEntry entry;
  bool stale = false;  ///< it should have been asked for again, but the origin cannot be asked
};

/// Thread-safe. Callbacks come inline when nothing has to be asked, else from a worker or from
/// whoever requests ctx.stop.
class EntryStats : public std::enable_shared_from_this<EntryStats> {
 public:
  using Done = std::function<void(Result<KnownEntry>)>;

  EntryStats(std::shared_ptr<Core> core, std::shared_ptr<Listings> listings)
      : core_(std::move(core)), listings_(std::move(listings)) {}

  /// Makes `entry` (as found in a usable listing of `parent`) exact. The answer may have another
  /// id: the name may show another version by now. Errors: not_found (proved), the source's when
  /// nothing is known.
  void ensure(NodeId parent, const cache::StoredEntry& entry, const RequestContext& ctx, Done done);
  /// For a name that a usable listing of `parent` lacks: not_found, unless the listing may hide it
  /// (Listing::hides_dot_names); then the source is asked, and its failure is not taken for
  /// absence.
  void ensure_hidden(NodeId parent, const std::string& name, const RequestContext& ctx, Done done);
  /// Asks in any case.
  void ask(NodeId parent, const std::string& name, const RequestContext& ctx, Done done);
  /// Answers everyone who waits with Code::cancelled.
  void cancel_waiters();

 private:
  using Key = std::pair<NodeId, std::string>;
  struct Flight {
    Key key;
    RequestContext ctx;
    cache::StoredEntry before;  // as it was when asked
    std::int64_t asked_wall_ns = 0;
    bool hidden = false;     // not known yet: the listing may leave it out
    bool confirmed = false;  // the parent was relisted after a first not_found
    std::vector<std::shared_ptr<Waiter<KnownEntry>>> waiters;
    std::shared_ptr<Activity::Token> token;
  };
  struct State {
    std::map<Key, std::shared_ptr<Flight>> flights;
    std::map<NodeId, StatAhead> readers;  // bounded by kMaxReaders
  };
  static constexpr std::size_t kMaxReaders = 256;

  void join(const Key& key, const RequestContext& ctx, std::shared_ptr<Waiter<KnownEntry>> waiter);
  void start(const std::shared_ptr<Flight>& flight);
  void arrived(const std::shared_ptr<Flight>& flight, Result<RemoteEntry> answer);
  bool may_hide(NodeId parent, const std::string& name);
  void described(const std::shared_ptr<Flight>& flight, const RemoteEntry& answer);
  void missing(const std::shared_ptr<Flight>& flight, const Error& error);
  void complete(const std::shared_ptr<Flight>& flight, const Result<KnownEntry>& outcome);
  void ask_ahead(NodeId parent, const cache::StoredEntry& entry);

  const std::shared_ptr<Core> core_;
  const std::shared_ptr<Listings> listings_;
  base::Locked<State> state_;
};

}  // namespace lazyvol::volume
