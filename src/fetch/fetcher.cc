#include "fetch/fetcher.h"

#include <utility>

#include "fetch/engine.h"

namespace lazyvol::fetch {
namespace {

class FetcherImpl final : public Fetcher {
 public:
  explicit FetcherImpl(std::shared_ptr<Engine> engine) : engine_(std::move(engine)) {}
  ~FetcherImpl() override { engine_->stop(); }

  std::shared_ptr<Content> open(ContentRef ref) override { return engine_->open(std::move(ref)); }
  const FetchOptions& options() const override { return engine_->options(); }
  FetchStats stats() const override { return engine_->stats(); }
  void stop() override { engine_->stop(); }

 private:
  const std::shared_ptr<Engine> engine_;  // contents keep it alive, stopped, beyond this
};

}  // namespace

std::shared_ptr<Fetcher> Fetcher::make(std::shared_ptr<Source> source, FetchEnvironment environment,
                                       FetchOptions options,
                                       std::function<void(const ContentRef&)> on_stale) {
  return std::make_shared<FetcherImpl>(std::make_shared<Engine>(
      std::move(source), std::move(environment), options, std::move(on_stale)));
}

}  // namespace lazyvol::fetch
