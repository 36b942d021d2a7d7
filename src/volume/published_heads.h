// Looks for a volume's head at its origins: one small request when nothing has changed.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/locked.h"
#include "base/timer.h"
#include "lazyvol/request.h"
#include "lazyvol/source.h"
#include "volume/published_trust.h"

namespace lazyvol::volume {

/// Thread-safe, but one look at a time.
class PublishedHeads : public std::enable_shared_from_this<PublishedHeads> {
 public:
  struct Seen {
    ReadHead head;
    std::size_t origin = 0;
    std::string validator;  ///< the origin's, for used()
  };
  /// nullopt: an origin says that the head is still the one that was used().
  using Found = std::optional<Seen>;
  using Done = std::function<void(Result<Found>)>;

  /// `timer` must outlive what is under way.
  PublishedHeads(std::vector<std::shared_ptr<Source>> origins,
                 std::shared_ptr<const PublishedTrust> trust, base::TimerQueue& timer);

  /// Asks the origins in their order until one shows a head that the trust accepts. Errors: what
  /// the first of them answered, with its name. `done` comes on a thread of a source's.
  void look(const RequestContext& ctx, Done done);
  /// The head that the origin showed under `validator` is the one that is used now.
  void used(std::size_t origin, const std::string& validator);

 private:
  struct Look {
    RequestContext ctx;
    Done done;
    std::size_t origin = 0;
    std::optional<Error> first_error;
  };
  void ask(const std::shared_ptr<Look>& look);
  void read(const std::shared_ptr<Look>& look);
  void next(const std::shared_ptr<Look>& look, const Error& error);

  const std::vector<std::shared_ptr<Source>> origins_;
  const std::shared_ptr<const PublishedTrust> trust_;
  base::TimerQueue& timer_;
  /// Of each origin, the version of the head that is used; empty when it did not show that one.
  base::Locked<std::vector<std::string>> validators_;
};

}  // namespace lazyvol::volume
