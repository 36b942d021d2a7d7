#include "fetch/frame_store.h"

#include <utility>

#include "fetch/frame_engine.h"

namespace lazyvol::fetch {
namespace {

/// Stops the engine when its last user is gone. Transfers hold the engine beyond that, stopped.
class FrameStoreImpl final : public FrameStore {
 public:
  explicit FrameStoreImpl(std::shared_ptr<FrameEngine> engine) : engine_(std::move(engine)) {}
  ~FrameStoreImpl() override { engine_->stop(); }

  void get(const catalog::FrameRef& frame, FrameUse use, RequestContext ctx, Done done) override {
    engine_->get(frame, use, std::move(ctx), std::move(done));
  }
  FrameBytes at_hand(const catalog::FrameRef& frame, FrameUse use) override {
    return engine_->at_hand(frame, use);
  }
  bool has(const catalog::FrameRef& frame, FrameUse use) const override {
    return engine_->has(frame, use);
  }
  void want(std::vector<catalog::FrameRef> frames, FrameUse use, RequestContext ctx,
            std::function<void(Status)> done) override {
    engine_->want(std::move(frames), use, std::move(ctx), std::move(done));
  }
  void used_up(const catalog::FrameRef& frame, FrameUse use) override {
    engine_->used_up(frame, use);
  }
  std::uint64_t evict(const catalog::FrameRef& frame, FrameUse use) override {
    return engine_->evict(frame, use);
  }
  std::uint64_t allowance() const override { return engine_->allowance(); }
  FrameStats stats() const override { return engine_->stats(); }
  void stop() override { engine_->stop(); }

 private:
  const std::shared_ptr<FrameEngine> engine_;
};

}  // namespace

std::shared_ptr<FrameStore> FrameStore::make(std::vector<std::shared_ptr<Source>> origins,
                                             FetchEnvironment environment,
                                             FrameStoreOptions options) {
  return std::make_shared<FrameStoreImpl>(
      std::make_shared<FrameEngine>(std::move(origins), std::move(environment), options));
}

}  // namespace lazyvol::fetch
