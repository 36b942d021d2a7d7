#include "volume/published_names.h"

#include <utility>

#include "volume/turn.h"

namespace lazyvol::volume {
namespace {

class Collecting : public std::enable_shared_from_this<Collecting> {
 public:
  Collecting(std::shared_ptr<Directory> directory, RequestContext ctx,
             std::function<void(CollectedNames)> done)
      : directory_(std::move(directory)), ctx_(std::move(ctx)), done_(std::move(done)) {}

  void run() {
    for (;;) {
      before_ = found_.names.size();
      turn_.begin();
      directory_->read(
          before_, ctx_,
          [self = shared_from_this()](const Directory::Item& item) {
            self->found_.names.emplace_back(item.name);
            return true;
          },
          [self = shared_from_this()](Status status) {
            self->found_.status = std::move(status);
            if (self->turn_.second() && self->goes_on()) self->run();
          });
      if (!turn_.second() || !goes_on()) return;
    }
  }

 private:
  /// False: `done_` was called.
  bool goes_on() {
    if (found_.status.ok() && found_.names.size() > before_) return true;
    done_(std::move(found_));
    return false;
  }

  const std::shared_ptr<Directory> directory_;
  const RequestContext ctx_;
  const std::function<void(CollectedNames)> done_;
  // One step at a time touches these.
  Turn turn_;
  std::size_t before_ = 0;
  CollectedNames found_;
};

}  // namespace

void collect_names(std::shared_ptr<Directory> directory, const RequestContext& ctx,
                   std::function<void(CollectedNames)> done) {
  std::make_shared<Collecting>(std::move(directory), ctx, std::move(done))->run();
}

}  // namespace lazyvol::volume
