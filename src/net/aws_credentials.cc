#include "net/aws_credentials.h"

#include <chrono>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/locked.h"
#include "base/log.h"
#include "net/aws_chain.h"

namespace lazyvol::net {
namespace {

using std::chrono::seconds;

constexpr std::int64_t kRenewBeforeEnd = 5 * 60;  // seconds
constexpr std::int64_t kTooShort = 30;
constexpr seconds kBetweenLooks{1};
constexpr seconds kBetweenEqualLooks{5};  // after a failure, a refusal
constexpr seconds kKeysEndSoon{30};

}  // namespace

struct AwsCredentials::Impl : std::enable_shared_from_this<Impl> {
  /// The files as they were at one moment.
  struct Files {
    std::vector<std::optional<FileStamp>> stamps;  ///< of AWS's
    std::shared_ptr<const HttpIdentity> identity;  ///< what the own one says
    bool operator==(const Files&) const = default;
  };
  struct State {
    Keys keys;
    Files files;                   ///< that the keys were found in
    std::optional<Error> failure;  ///< of the last look, if it failed
    base::Monotonic next_look{}, no_look_before{};
    bool looking = false;
    bool closed = false;
    std::vector<Done> waiting;
  };

  Impl(AwsCredentialsOptions the_options, AwsCredentialsTools the_tools)
      : options(std::move(the_options)),
        blocking(the_tools.blocking),
        http(the_tools.http, the_tools.timer) {}

  static std::int64_t seconds_left(const AwsKeys& keys) {
    if (!keys.expires_s) return kRenewBeforeEnd + 1;
    return *keys.expires_s - base::system_clock().wall_ns() / 1'000'000'000;
  }

  static bool usable(const State& now) { return now.keys && seconds_left(*now.keys) > kTooShort; }

  bool files_changed(State& now) const {
    now.next_look = base::system_clock().now() + kBetweenLooks;
    return files_now() != now.files;
  }

  /// Whether to look for keys to replace those at hand: a file has changed, or they end soon. True
  /// marks the look as begun.
  bool begin_replacing(State& now) const {
    if (now.looking) return false;
    const auto clock = base::system_clock().now();
    const bool due = seconds_left(*now.keys) <= kRenewBeforeEnd && clock >= now.no_look_before;
    now.looking = due || (clock >= now.next_look && files_changed(now));
    return now.looking;
  }

  /// Blocks: for the pool.
  Result<AwsKeys> find(const std::shared_ptr<const HttpIdentity>& identity) {
    if (identity && !identity->access_key_id.empty()) {
      return AwsKeys{
          identity->access_key_id, identity->secret_access_key, identity->session_token, {}};
    }
    return find_aws_keys(options.environment, options.profile, http);
  }

  /// After state.looking was set. `anyway`: also when no file has changed and somebody looked a
  /// moment ago.
  void look_on_pool(bool anyway) {
    const bool taken = blocking.submit([self = shared_from_this(), anyway] { self->look(anyway); });
    if (!taken) found(Error{Code::cancelled, "shutting down"}, {});
  }

  void look(bool anyway) {
    if (options.file) options.file->reload();
    Files files = files_now();
    if (!anyway) {
      auto now = state.lock();
      if (files == now->files && base::system_clock().now() < now->no_look_before) {
        now->looking = false;
        return answer(std::move(now));
      }
    }
    auto result = find(files.identity);
    found(std::move(result), std::move(files));
  }

  Files files_now() const {
    return {AwsConfig::stamps(options.environment),
            options.file ? options.file->current() : nullptr};
  }

  /// Answers everybody who waits, with the lock released.
  void answer(base::Locked<State>::Guard now) const {
    const Result<Keys> result = answer_of(*now);
    std::vector<Done> answered;
    answered.swap(now->waiting);
    now.unlock();
    for (const Done& done : answered) done(result);
  }

  /// `files`: read before the look, so that a change during it is seen by the next one.
  void found(Result<AwsKeys> result, Files files) {
    auto now = state.lock();
    now->looking = false;
    now->files = std::move(files);
    now->next_look = base::system_clock().now() + kBetweenLooks;
    if (result.ok()) {
      if (!now->keys || !(*now->keys == *result)) {
        now->keys = std::make_shared<const AwsKeys>(*std::move(result));
      }
      now->failure.reset();
      // Who gave out keys that end soon has no others yet.
      const bool soon = seconds_left(*now->keys) <= kRenewBeforeEnd;
      const seconds pause = soon && usable(*now) ? kKeysEndSoon : kBetweenEqualLooks;
      now->no_look_before = base::system_clock().now() + pause;
    } else {
      now->failure = result.error();
      now->no_look_before = base::system_clock().now() + kBetweenEqualLooks;
      if (now->keys && result.error().code != Code::cancelled) {
        base::log_warn("AWS keys could not be renewed: {}", result.error().message);
      }
    }
    answer(std::move(now));
  }

  Result<Keys> answer_of(const State& now) const {
    if (usable(now) || (now.keys && !now.failure)) return now.keys;
    return now.failure.value_or(Error{Code::access_denied, "the AWS keys have expired"});
  }

  /// True when somebody is looking, or should: then `now.looking` is set. False when the last look
  /// was a moment ago.
  static bool begin(State& now) {
    if (!now.looking) now.looking = base::system_clock().now() >= now.no_look_before;
    return now.looking;
  }

  const AwsCredentialsOptions options;
  base::Workers& blocking;
  WaitingHttp http;
  base::Locked<State> state;
};

AwsCredentials::AwsCredentials(AwsCredentialsOptions options, AwsCredentialsTools tools)
    : impl_(std::make_shared<Impl>(std::move(options), tools)) {}

AwsCredentials::~AwsCredentials() {
  close();
}

std::optional<AwsCredentials::Keys> AwsCredentials::ready() {
  if (impl_->options.anonymous) return Keys();
  std::optional<Keys> answer;
  bool start = false;
  {
    auto now = impl_->state.lock();
    if (now->closed || !impl_->usable(*now)) return std::nullopt;
    answer = now->keys;
    start = impl_->begin_replacing(*now);
  }
  if (start) impl_->look_on_pool(true);
  return answer;
}

void AwsCredentials::get(Done done) {
  if (auto keys = ready()) return done(*std::move(keys));
  std::optional<Result<Keys>> answer;
  bool start = false;
  {
    auto now = impl_->state.lock();
    const bool was_looking = now->looking;
    if (now->closed) {
      answer = Error{Code::cancelled, "cancelled"};
    } else if (impl_->usable(*now)) {
      answer = now->keys;
    } else if (impl_->begin(*now)) {
      now->waiting.push_back(done);
      start = !was_looking;
    } else {
      answer = impl_->answer_of(*now);
    }
  }
  if (start) impl_->look_on_pool(true);
  if (answer) done(*std::move(answer));
}

void AwsCredentials::renew(Keys refused, Done done) {
  bool start = false;
  {
    auto now = impl_->state.lock();
    if (impl_->options.anonymous || now->closed || now->keys != refused) {
      auto keys = now->keys;
      now.unlock();
      return done(std::move(keys));
    }
    start = !std::exchange(now->looking, true);
    // With nothing better at hand the refusal stands: a failed look must not hide it.
    now->waiting.push_back([refused, done = std::move(done)](Result<Keys> keys) {
      done(keys.ok() ? *std::move(keys) : refused);
    });
  }
  if (start) impl_->look_on_pool(false);
}

void AwsCredentials::close() {
  impl_->state.lock()->closed = true;
  impl_->http.close();
}

}  // namespace lazyvol::net
