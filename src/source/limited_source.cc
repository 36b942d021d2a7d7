#include "source/limited_source.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <utility>

#include "base/locked.h"
#include "source/forwarding_transfer.h"

namespace lazyvol::source {
namespace {

using std::chrono::milliseconds;

// A pause costs more than it saves when it is shorter.
constexpr milliseconds kLeastPause(2);
// While a read waits for its turn, whoever waits for the read is told that it is not forgotten.
constexpr milliseconds kLongestSilence(500);

/// Between a source and the sink that was meant for it. Two may pause the read: the sink, until it
/// resumes it, and the limit, until a moment; it goes on when neither does.
class LimitedRead final : public ReadSink,
                          public Transfer,
                          public std::enable_shared_from_this<LimitedRead> {
 public:
  LimitedRead(std::shared_ptr<ReadSink> sink, BandwidthLimit& limit, BandwidthLimit::Taker taker,
              base::TimerQueue& timer)
      : limit_(limit), taker_(taker), timer_(timer) {
    state_.lock()->sink = std::move(sink);
  }

  void set(std::shared_ptr<Transfer> transfer) { transfer_.set(std::move(transfer)); }

  Flow on_start(const ReadStart& start) override {
    return told([&](ReadSink& sink) { return sink.on_start(start); }, {});
  }

  Flow on_data(std::span<const std::byte> data) override {
    // Counted first: what the sink does with it takes time that may be waited anyway.
    const auto until = limit_.took(taker_, data.size(), base::system_clock().now());
    return told([&](ReadSink& sink) { return sink.on_data(data); }, until);
  }

  void on_done(Status status) override {
    std::shared_ptr<ReadSink> sink;
    {
      const auto state = state_.lock();
      sink = std::exchange(state->sink, nullptr);
      state->waits = false;
    }
    if (sink) sink->on_done(std::move(status));
  }

  void on_progress() override {
    if (const auto sink = state_.lock()->sink) sink->on_progress();
  }

  void resume() override {
    {
      const auto state = state_.lock();
      if (state->within_sink) {
        state->resumed_early = true;
        return;
      }
      if (!std::exchange(state->sink_pauses, false) || state->waits) return;
    }
    transfer_.resume();
  }

  void hurry(Priority priority) override {
    transfer_.hurry(priority);
    if (priority == Priority::hydrate) return;
    taker_ = BandwidthLimit::Taker::awaited;
    look();
  }

 private:
  struct State {
    std::shared_ptr<ReadSink> sink;  ///< until on_done
    bool within_sink = false, resumed_early = false;
    bool sink_pauses = false;
    bool waits = false;  ///< for its turn
    base::Monotonic until{};
  };

  template <class Tell>
  Flow told(const Tell& tell, base::Monotonic until) {
    std::shared_ptr<ReadSink> sink;
    {
      const auto state = state_.lock();
      sink = state->sink;
      state->within_sink = true;
      state->resumed_early = false;
    }
    if (!sink) return Flow::abort;
    const Flow flow = tell(*sink);
    const auto now = base::system_clock().now();
    const auto state = state_.lock();
    state->within_sink = false;
    if (flow == Flow::abort) return flow;
    state->sink_pauses = flow == Flow::pause && !state->resumed_early;
    state->waits = until - now >= kLeastPause;
    state->until = until;
    if (state->waits) arm(until - now);
    return state->sink_pauses || state->waits ? Flow::pause : Flow::proceed;
  }

  void arm(base::Monotonic::duration wait) {
    const auto delay = std::min(std::chrono::ceil<milliseconds>(wait), kLongestSilence);
    timer_.after(delay, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->look();
    });
  }

  void look() {
    std::shared_ptr<ReadSink> sink;
    bool go_on = false;
    {
      const auto state = state_.lock();
      if (!state->waits) return;
      const auto until = std::min(state->until, limit_.paid_until(taker_));
      const auto left = until - base::system_clock().now();
      if (left > left.zero()) {
        arm(left);
      } else {
        state->waits = false;
        go_on = !state->sink_pauses;
      }
      sink = state->sink;
    }
    if (sink) sink->on_progress();
    if (go_on) transfer_.resume();
  }

  BandwidthLimit& limit_;
  std::atomic<BandwidthLimit::Taker> taker_;
  base::TimerQueue& timer_;
  ForwardingTransfer transfer_;
  base::Locked<State> state_;
};

class LimitedSource final : public Source {
 public:
  LimitedSource(std::shared_ptr<Source> source, BandwidthLimit& limit, base::TimerQueue& timer)
      : source_(std::move(source)), limit_(limit), timer_(timer) {}

  SourceTraits traits() const override { return source_->traits(); }
  void list(std::string path, std::string known_validator, RequestContext ctx,
            ListDone done) override {
    source_->list(std::move(path), std::move(known_validator), std::move(ctx), std::move(done));
  }
  void stat(std::string path, RequestContext ctx, StatDone done) override {
    source_->stat(std::move(path), std::move(ctx), std::move(done));
  }
  std::shared_ptr<Transfer> read(ReadRequest request, std::shared_ptr<ReadSink> sink,
                                 RequestContext ctx) override {
    if (limit_.rate() == 0) return source_->read(std::move(request), std::move(sink), ctx);
    const auto taker = ctx.priority == Priority::hydrate ? BandwidthLimit::Taker::background
                                                         : BandwidthLimit::Taker::awaited;
    const auto limited = std::make_shared<LimitedRead>(std::move(sink), limit_, taker, timer_);
    limited->set(source_->read(std::move(request), limited, std::move(ctx)));
    return limited;
  }
  void expect(std::vector<std::string> paths) override { source_->expect(std::move(paths)); }

 private:
  const std::shared_ptr<Source> source_;
  BandwidthLimit& limit_;
  base::TimerQueue& timer_;
};

}  // namespace

std::shared_ptr<Source> limit_bandwidth(std::shared_ptr<Source> source, BandwidthLimit& limit,
                                        base::TimerQueue& timer) {
  return std::make_shared<LimitedSource>(std::move(source), limit, timer);
}

}  // namespace lazyvol::source
