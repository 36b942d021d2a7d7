#include "volume/profile_record.h"

#include <atomic>
#include <utility>

namespace lazyvol::volume {
namespace {

/// Every path is looked for at once; the last answer ends it.
struct Naming {
  explicit Naming(std::vector<AccessRecorder::Access> noted)
      : accesses(std::move(noted)), paths(accesses.size()), left(accesses.size() + 1) {}

  const std::vector<AccessRecorder::Access> accesses;
  std::vector<std::optional<std::string>> paths;  // each written by its one answer
  std::atomic<std::size_t> left;
  std::function<void(Result<model::Profile>)> done;

  void one_less() {
    if (left.fetch_sub(1) != 1) return;
    model::Profile profile;
    for (std::size_t i = 0; i < accesses.size(); ++i) {
      if (!paths[i]) continue;
      profile.push_back({std::move(*paths[i]), accesses[i].directory, accesses[i].ranges});
    }
    done(std::move(profile));
  }
};

}  // namespace

void finish_recording(const std::shared_ptr<MountedVolume>& volume, const RequestContext& ctx,
                      std::function<void(Result<model::Profile>)> done) {
  const auto naming = std::make_shared<Naming>(volume->accesses().stop());
  naming->done = std::move(done);
  for (std::size_t i = 0; i < naming->accesses.size(); ++i) {
    volume->path_of(naming->accesses[i].node, ctx, [naming, i](Result<std::string> path) {
      if (path.ok()) naming->paths[i] = *std::move(path);
      naming->one_less();
    });
  }
  naming->one_less();
}

}  // namespace lazyvol::volume
