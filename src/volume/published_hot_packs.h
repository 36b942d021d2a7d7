// Fetches the packs of what a start reads first, whole and in the background.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "catalog/pack.h"
#include "volume/published_core.h"

namespace lazyvol::volume {

/// The frames of a pack are found by the index at its end. That is not proved by anything, and need
/// not be: a frame is only ever used by who knows its hash. A failure is a line in the log; what
/// the pack holds is fetched when it is read, too.
class PublishedHotPacks : public std::enable_shared_from_this<PublishedHotPacks> {
 public:
  static void run(std::shared_ptr<PublishedCore> core);

 private:
  /// The index of a pack of usual size.
  static constexpr std::uint64_t kTailBytes = 128U << 10;

  explicit PublishedHotPacks(std::shared_ptr<PublishedCore> core) : core_(std::move(core)) {}
  void next();
  void read_tail(std::uint64_t bytes);
  Status take_tail(const std::string& tail);
  void fetch(std::vector<catalog::FrameRef> frames, catalog::PackKind kind);
  void failed(const Error& error);
  RequestContext context() const;

  const std::shared_ptr<PublishedCore> core_;
  std::shared_ptr<Activity::Token> token_;
  // One step at a time touches these.
  std::vector<catalog::HotPack> packs_;  // still to come, the next one last
  std::size_t origin_ = 0;
};

}  // namespace lazyvol::volume
