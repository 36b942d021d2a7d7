#include "fault_source.h"

namespace lazyvol::testing {
namespace {

/// Ends the read after `allowed` bytes as a broken connection does.
class CutSink final : public ReadSink {
 public:
  CutSink(std::shared_ptr<ReadSink> inner, std::uint64_t allowed)
      : inner_(std::move(inner)), allowed_(allowed) {}
  Flow on_start(const ReadStart& start) override { return inner_->on_start(start); }
  Flow on_data(std::span<const std::byte> data) override {
    if (data.size() > allowed_) {
      cut_ = true;
      return Flow::abort;
    }
    allowed_ -= data.size();
    return inner_->on_data(data);
  }
  void on_done(Status status) override {
    if (cut_) return inner_->on_done(Error{Code::io_error, "injected: broken off"});
    inner_->on_done(std::move(status));
  }

 private:
  const std::shared_ptr<ReadSink> inner_;
  std::uint64_t allowed_;
  bool cut_ = false;
};

class NoTransfer final : public Transfer {
  void resume() override {}
};

/// Keeps a read alive until it is done, and no longer, as its caller may keep both ends.
class KeepSink final : public ReadSink {
 public:
  explicit KeepSink(std::shared_ptr<ReadSink> inner) : inner_(std::move(inner)) {}
  void keep(std::shared_ptr<Transfer> transfer) {
    auto state = state_.lock();
    if (!state->done) state->transfer = std::move(transfer);
  }
  Flow on_start(const ReadStart& start) override { return inner_->on_start(start); }
  Flow on_data(std::span<const std::byte> data) override { return inner_->on_data(data); }
  void on_done(Status status) override {
    const auto inner = std::move(inner_);
    inner->on_done(std::move(status));
    std::shared_ptr<Transfer> last;
    auto state = state_.lock();
    state->done = true;
    last.swap(state->transfer);
    state.unlock();
  }

 private:
  struct State {
    std::shared_ptr<Transfer> transfer;
    bool done = false;
  };
  std::shared_ptr<ReadSink> inner_;
  base::Locked<State> state_;
};

class WeakTransfer final : public Transfer {
 public:
  explicit WeakTransfer(std::weak_ptr<Transfer> inner) : inner_(std::move(inner)) {}
  void resume() override {
    if (const auto inner = inner_.lock()) inner->resume();
  }

 private:
  const std::weak_ptr<Transfer> inner_;
};

}  // namespace

std::uint64_t FaultSource::pick(std::uint64_t below) {
  return (*random_.lock())() % below;
}

bool FaultSource::strikes() {
  const unsigned percent = percent_;
  if (percent == 0 || pick(100) >= percent) return false;
  ++injected_;
  return true;
}

Error FaultSource::error() {
  constexpr Code kCodes[] = {Code::unreachable, Code::timed_out, Code::io_error, Code::throttled};
  return {kCodes[pick(std::size(kCodes))], "injected"};
}

void FaultSource::list(std::string path, std::string known_validator, RequestContext ctx,
                       ListDone done) {
  if (strikes()) return done(error());
  inner_->list(std::move(path), std::move(known_validator), std::move(ctx), std::move(done));
}

void FaultSource::stat(std::string path, RequestContext ctx, StatDone done) {
  if (strikes()) return done(error());
  inner_->stat(std::move(path), std::move(ctx), std::move(done));
}

std::shared_ptr<Transfer> FaultSource::read(ReadRequest request, std::shared_ptr<ReadSink> sink,
                                            RequestContext ctx) {
  if (strikes()) {
    if (pick(2) == 0) {
      sink->on_done(error());
      return std::make_shared<NoTransfer>();
    }
    sink = std::make_shared<CutSink>(std::move(sink), pick(request.length + 1));
  }
  const auto keeper = std::make_shared<KeepSink>(std::move(sink));
  const auto transfer = inner_->read(std::move(request), keeper, std::move(ctx));
  keeper->keep(transfer);
  return std::make_shared<WeakTransfer>(transfer);
}

}  // namespace lazyvol::testing
