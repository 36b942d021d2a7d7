#include "publish/s3_lease.h"

#include <fmt/core.h>
#include <unistd.h>

#include <array>
#include <optional>
#include <utility>

#include "base/workers.h"

namespace lazyvol::publish {
namespace {

constexpr std::string_view kHeld = "held by ", kFree = "free\n";
constexpr std::string_view kCache = "no-store";
constexpr std::uint64_t kMaxText = 4096;
constexpr std::chrono::milliseconds kPoll{500};
// Who wants it for something else comes again.
constexpr std::chrono::milliseconds kShortPatience{1'000};

base::Monotonic now() {
  return base::system_clock().now();
}

// This process, in the words of an error that another one prints.
std::string holder() {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0 || host[0] == '\0') host[0] = '?';
  return fmt::format("{}process {} of {}\n", kHeld, ::getpid(), host.data());
}

struct Found {
  bool held = false;
  S3Condition condition;  ///< under which it may be taken
  std::string holder;     ///< for a message
};

Result<Found> look(const S3Objects& objects, const std::string& key, std::chrono::seconds lease) {
  auto content = objects.get(key, 0, kMaxText);
  if (!content.ok() && content.error().code == Code::not_found) return Found();
  if (!content.ok()) return std::move(content).error();
  Found found;
  found.condition.etag = content->object.etag;
  found.holder = content->bytes.substr(0, content->bytes.find('\n'));
  // Both times are cut to seconds.
  const std::int64_t age = content->object.now_s - content->object.mtime_s - 1;
  found.held = content->bytes.starts_with(kHeld) && age < lease.count();
  return found;
}

Error busy(const S3Objects& objects, const Found& found, std::chrono::seconds lease) {
  return {Code::busy, fmt::format("{} is locked, {}; if that ended without a word, the lock ends "
                                  "within {} s",
                                  objects.site().address().display(), found.holder, lease.count())};
}

Result<Found> await_free(const S3Objects& objects, const std::string& key,
                         std::chrono::seconds lease, std::chrono::milliseconds patience,
                         bool& waited) {
  const auto deadline = now() + patience;
  while (true) {
    LAZYVOL_TRY_ASSIGN(Found found, look(objects, key, lease));
    if (!found.held) return found;
    waited = true;
    if (now() >= deadline) return busy(objects, found, lease);
    if (!objects.requests().pause(kPoll)) return Error{Code::cancelled, "stopped"};
  }
}

}  // namespace

Result<std::unique_ptr<S3Lease>> S3Lease::take(const S3Objects& objects, const std::string& key,
                                               std::chrono::seconds lease) {
  bool waited = false;
  LAZYVOL_TRY_ASSIGN(const Found found, await_free(objects, key, lease, kShortPatience, waited));
  const auto before = now();
  LAZYVOL_TRY_ASSIGN(std::string etag, objects.put_if(key, holder(), kCache, found.condition));
  State state{std::move(etag), before + lease, false};
  return std::unique_ptr<S3Lease>(new S3Lease(objects, key, lease, std::move(state)));
}

S3Lease::S3Lease(const S3Objects& objects, std::string key, std::chrono::seconds lease, State state)
    : objects_(objects.requests().unstoppable()),
      key_(std::move(key)),
      lease_(lease),
      state_(std::move(state)),
      renewer_([this] {
        base::name_this_thread("lv-lease");
        renew();
      }) {}

S3Lease::~S3Lease() {
  state_.lock()->ending = true;
  ending_.notify_one();
  renewer_.join();
  // Not removed: that would take it from whoever took it over. What fails is over in a minute.
  const std::string etag = state_.lock()->etag;
  if (!etag.empty()) static_cast<void>(objects_.put_if(key_, kFree, kCache, {etag}));
}

bool S3Lease::holds() const {
  const auto state = state_.lock();
  return !state->etag.empty() && now() + lease_ / 3 < state->until;
}

void S3Lease::renew() {
  auto state = state_.lock();
  while (!state->ending && !state->etag.empty()) {
    constexpr int kRenewals = 4;  // in the time of one lease
    ending_.wait_for(state.native(), std::chrono::milliseconds(lease_) / kRenewals,
                     [&] { return state->ending; });
    if (state->ending) return;
    const std::string etag = state->etag;
    state.unlock();
    const auto before = now();
    auto renewed = objects_.put_if(key_, holder(), kCache, {etag});
    state = state_.lock();
    if (renewed.ok()) {
      state->etag = *std::move(renewed);
      state->until = before + lease_;
    } else if (renewed.error().code == Code::busy) {
      state->etag.clear();  // somebody took it over: we were away for too long
    }
  }
}

Result<bool> await_lease(const S3Objects& objects, const std::string& key,
                         std::chrono::seconds lease, std::chrono::milliseconds patience) {
  bool waited = false;
  LAZYVOL_TRY(await_free(objects, key, lease, patience, waited));
  return waited;
}

}  // namespace lazyvol::publish
