// A Volume over a published one: atomic revisions, verified end to end.
// Rules: docs/semantics.md, "Published volumes".
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lazyvol/source.h"
#include "model/options.h"
#include "volume/mounted_volume.h"

namespace lazyvol::volume {

/// Where a published volume is.
struct PublishedPlace {
  /// Names it in the index across restarts: canonical SOURCE, without what options add.
  std::string name;
  /// They hold the same volume, the preferred one first; at least one.
  std::vector<std::shared_ptr<Source>> origins;
  /// The head as the first of them showed it a moment ago, if it was read already.
  struct Head {
    std::string text, validator;
  };
  std::optional<Head> head = std::nullopt;
  /// Has what the catalog calls objects (fetch/published_fetcher.h); null: they are damage.
  std::shared_ptr<Source> objects = nullptr;
};

class PublishedVolume : public MountedVolume {
 public:
  /// Reads the head and, without `subdir`, nothing else. When no origin can be reached, what is
  /// known from before is served, with a line in the log. Blocks up to io-timeout. Errors:
  /// access_denied (the signer), stale (rollback, expired, another volume), corrupt, unsupported (a
  /// later format), invalid_argument (the key), not_found / not_directory (subdir), and those of
  /// the origins.
  static Result<std::shared_ptr<PublishedVolume>> open(PublishedPlace place,
                                                       const model::MountOptions& options,
                                                       VolumeEnvironment environment);
};

}  // namespace lazyvol::volume
