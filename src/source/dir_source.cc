#include "source/dir_source.h"

#include <utility>

#include "source/dir_read.h"
#include "source/dir_root.h"
#include "source/lane.h"
#include "source/pending.h"

namespace lazyvol::source {
namespace {

/// Of one source, at once: several sources that hang leave threads to the others.
constexpr std::size_t kThreads = 6;

// All of it blocks, so all of it runs on the pool, each call under its own deadline.
class DirSource : public Source {
 public:
  DirSource(std::string path, std::shared_ptr<const DirRoot> root, SourceEnvironment environment)
      : path_(std::move(path)),
        root_(std::move(root)),
        environment_(environment),
        lane_(std::make_shared<Lane>(environment.blocking, kThreads)) {}

  SourceTraits traits() const override {
    return {.scheme = "dir",
            .display = path_,
            .capabilities = {"exact listings", "modes", "owners", "symbolic links", "times in ns"}};
  }

  // A known validator is of no use: see DirRoot::list.
  void list(std::string path, std::string, RequestContext ctx, ListDone done) override {
    run<Listing>(ctx, std::move(done), [root = root_, path = std::move(path), stop = ctx.stop] {
      return once_more_when_stale<Listing>([&] { return root->list(path, stop); });
    });
  }

  void stat(std::string path, RequestContext ctx, StatDone done) override {
    run<RemoteEntry>(ctx, std::move(done), [root = root_, path = std::move(path)] {
      return once_more_when_stale<RemoteEntry>([&] { return root->stat(path); });
    });
  }

  std::shared_ptr<Transfer> read(ReadRequest request, std::shared_ptr<ReadSink> sink,
                                 RequestContext ctx) override {
    return DirRead::start(root_, std::move(request), std::move(sink), ctx, environment_.timer,
                          lane_);
  }

 private:
  template <class T, class Work>
  void run(const RequestContext& ctx, std::function<void(Result<T>)> done, Work work) {
    const auto pending = Pending<T>::make(environment_.timer, ctx, std::move(done));
    const bool taken = lane_->submit([pending, work = std::move(work)] {
      if (!pending->answered()) pending->answer(work());
    });
    if (!taken) pending->answer(Error{Code::cancelled, "shutting down"});
  }

  // An NFS server may forget a handle between the open and the use; the second open gets a new one.
  template <class T, class Work>
  static Result<T> once_more_when_stale(Work work) {
    Result<T> result = work();
    return !result.ok() && result.error().code == Code::stale ? work() : std::move(result);
  }

  const std::string path_;
  const std::shared_ptr<const DirRoot> root_;
  const SourceEnvironment environment_;
  const std::shared_ptr<Lane> lane_;
};

}  // namespace

Result<std::shared_ptr<Source>> make_dir_source(const std::string& path,
                                                SourceEnvironment environment) {
  LAZYVOL_TRY_ASSIGN(auto root, DirRoot::open(path));
  return std::shared_ptr<Source>(
      std::make_shared<DirSource>(path, std::move(root), std::move(environment)));
}

}  // namespace lazyvol::source
