#include "source/read_object.h"

#include <algorithm>
#include <future>
#include <optional>
#include <random>
#include <stop_token>
#include <utility>

#include "base/clock.h"
#include "base/locked.h"

namespace lazyvol::source {
namespace {

using std::chrono::milliseconds;

/// An object that is replaced again and again while it is read is given up after so many versions.
constexpr int kMaxVersions = 5;

double random_share() {
  thread_local std::mt19937_64 engine{std::random_device{}()};
  return std::uniform_real_distribution<double>(0.0, 1.0)(engine);
}

/// All attempts for one object. Held by the attempt under way (as its sink) or by the timer's task;
/// attempts follow each other, so what they gather needs no lock. Answers once: with the object,
/// with an error, or, when whoever held it let it go, with cancelled.
class ObjectRead final : public std::enable_shared_from_this<ObjectRead> {
 public:
  ObjectRead(std::shared_ptr<Source> source, base::TimerQueue& timer, ReadObject what,
             RequestContext ctx, std::function<void(Result<Object>)> done)
      : source_(std::move(source)),
        timer_(timer),
        what_(std::move(what)),
        ctx_(std::move(ctx)),
        answer_(Answer{std::move(done), 0}) {}

  ~ObjectRead() { answer(Error{Code::cancelled, "nobody reads the object any more"}); }

  void begin() {
    if (what_.limit == 0) return answer(Error{Code::invalid_argument, "a read of no bytes"});
    progress_ = base::system_clock().now();
    on_stop_.emplace(ctx_.stop, std::function<void()>([weak = weak_from_this()] {
                       if (const auto self = weak.lock()) {
                         self->answer(Error{Code::cancelled, "cancelled"});
                       }
                     }));
    attempt();
  }

 private:
  /// Takes one attempt's bytes; the source's thread.
  class Sink final : public ReadSink {
   public:
    explicit Sink(std::shared_ptr<ObjectRead> read) : read_(std::move(read)) {}
    Flow on_start(const ReadStart& start) override { return read_->started(start); }
    Flow on_data(std::span<const std::byte> data) override { return read_->received(data); }
    void on_done(Status status) override { read_->ended(std::move(status)); }

   private:
    const std::shared_ptr<ObjectRead> read_;
  };

  void attempt() {
    if (answered()) return;
    skip_ = 0;
    refusal_.reset();
    got_some_ = false;
    RequestContext ctx = ctx_;
    ctx.no_progress = std::max(ctx_.no_progress - since_progress(), milliseconds(1));
    const std::uint64_t have = object_.bytes.size();
    source_->read({what_.path, object_.validator, what_.offset + have, wanted() - have},
                  std::make_shared<Sink>(shared_from_this()), std::move(ctx));
  }

  /// Bytes that the object shall have; before the first answer, at most.
  std::uint64_t wanted() const {
    if (!known_) return what_.limit;
    const std::uint64_t left = object_.total_size - std::min(what_.offset, object_.total_size);
    return std::min(what_.limit, left);
  }

  Flow started(const ReadStart& start) {
    const bool other =
        known_ && (start.validator != object_.validator || start.total_size != object_.total_size);
    if (other) return refuse(Error{Code::stale, "another version"});
    const std::uint64_t position = what_.offset + object_.bytes.size();
    if (start.offset > position) {
      return refuse(Error{Code::corrupt, "the answer is not the range asked for"});
    }
    skip_ = position - start.offset;
    object_.validator = start.validator;
    object_.total_size = start.total_size;
    known_ = true;
    const bool longer =
        start.total_size > what_.offset && start.total_size - what_.offset > what_.limit;
    if (longer && !what_.cut) {
      return refuse(Error{Code::too_large, what_.path + " has " + std::to_string(start.total_size) +
                                               " bytes, more than " + std::to_string(what_.limit)});
    }
    object_.bytes.reserve(wanted());
    return complete() ? Flow::abort : Flow::proceed;
  }

  Flow received(std::span<const std::byte> data) {
    const auto skipped = std::min<std::uint64_t>(skip_, data.size());
    skip_ -= skipped;
    data = data.subspan(skipped);
    const auto n = std::min<std::uint64_t>(data.size(), wanted() - object_.bytes.size());
    object_.bytes.append(reinterpret_cast<const char*>(data.data()), n);
    progress_ = base::system_clock().now();
    got_some_ = got_some_ || n > 0;
    // A server without ranges would go on to the end of the object.
    return complete() && n < data.size() ? Flow::abort : Flow::proceed;
  }

  bool complete() const { return known_ && object_.bytes.size() == wanted(); }

  Flow refuse(Error why) {
    refusal_ = std::move(why);
    return Flow::abort;
  }

  void ended(Status status) {
    if (answered()) return;
    if (got_some_) retries_ = 0;
    Error error{Code::corrupt, what_.path + ": fewer bytes than were promised"};
    if (refusal_) {
      error = *std::exchange(refusal_, std::nullopt);
    } else if (complete()) {
      return answer(std::move(object_));
    } else if (!status.ok()) {
      error = std::move(status).error();
    } else if (got_some_) {
      return attempt();  // a part of what was asked for: the rest
    }
    if (error.code == Code::stale && known_ && ++versions_ < kMaxVersions) {
      object_ = {};
      known_ = false;
      return attempt();
    }
    retry(std::move(error));
  }

  void retry(Error error) {
    const net::RetryPolicy policy{.deadline = ctx_.no_progress};
    const auto delay = net::next_retry(policy, error, retries_, since_progress(), random_share());
    if (!delay) return answer(std::move(error));
    ++retries_;
    auto state = answer_.lock();
    if (!state->done) return;
    state->timer = timer_.after(*delay, [self = shared_from_this()] { self->attempt(); });
  }

  milliseconds since_progress() const {
    return std::chrono::duration_cast<milliseconds>(base::system_clock().now() - progress_);
  }

  bool answered() const { return answer_.lock()->done == nullptr; }

  void answer(Result<Object> result) {
    std::function<void(Result<Object>)> done;
    base::TimerQueue::Id timer = 0;
    {
      auto state = answer_.lock();
      done = std::exchange(state->done, nullptr);
      timer = std::exchange(state->timer, 0);
    }
    if (!done) return;
    if (timer != 0) timer_.cancel(timer);
    done(std::move(result));
  }

  struct Answer {
    std::function<void(Result<Object>)> done;  ///< empty once answered
    base::TimerQueue::Id timer = 0;            ///< of the last retry
  };

  // constant
  const std::shared_ptr<Source> source_;
  base::TimerQueue& timer_;
  const ReadObject what_;
  const RequestContext ctx_;
  // of the attempt under way
  Object object_;
  bool known_ = false;  ///< validator and size, since the first on_start
  std::uint64_t skip_ = 0;
  bool got_some_ = false;
  std::optional<Error> refusal_;
  int versions_ = 0;
  std::uint32_t retries_ = 0;
  base::Monotonic progress_{};
  // self-synchronised
  base::Locked<Answer> answer_;
  std::optional<std::stop_callback<std::function<void()>>> on_stop_;
};

}  // namespace

void read_object(const std::shared_ptr<Source>& source, base::TimerQueue& timer, ReadObject what,
                 RequestContext ctx, std::function<void(Result<Object>)> done) {
  std::make_shared<ObjectRead>(source, timer, std::move(what), std::move(ctx), std::move(done))
      ->begin();
}

Result<Object> read_object_now(const std::shared_ptr<Source>& source, base::TimerQueue& timer,
                               ReadObject what, RequestContext ctx) {
  auto promise = std::make_shared<std::promise<Result<Object>>>();
  auto future = promise->get_future();
  read_object(source, timer, std::move(what), std::move(ctx),
              [promise](Result<Object> result) { promise->set_value(std::move(result)); });
  return future.get();
}

}  // namespace lazyvol::source
