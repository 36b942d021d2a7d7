#include "source/calls.h"

#include <gtest/gtest.h>

#include <chrono>
#include <future>

namespace lazyvol::source {
namespace {

// Long enough for the slowest sanitizer on a busy machine: only a lost callback takes this long.
constexpr std::chrono::seconds kLost{120};

template <class T>
Result<T> wait_for_answer(const std::function<void(std::function<void(Result<T>)>)>& call) {
  auto promise = std::make_shared<std::promise<Result<T>>>();
  auto future = promise->get_future();
  call([promise](Result<T> result) { promise->set_value(std::move(result)); });
  if (future.wait_for(kLost) != std::future_status::ready) {
    ADD_FAILURE() << "no answer";
    return Error{Code::io_error, "no answer"};
  }
  return future.get();
}

}  // namespace

Rig::Rig() {
  http_.emplace(net::HttpEngineOptions{});
}

Rig::~Rig() {
  timer_.stop();
  http_.reset();
  blocking_.stop();
}

SourceEnvironment Rig::environment() {
  return {*http_, timer_, blocking_, bandwidth_};
}

std::shared_ptr<Source> Rig::open(const std::string& url, const model::MountOptions& options) {
  const auto parsed = model::parse_source_url(url);
  EXPECT_TRUE(parsed.ok()) << url << ": " << (parsed.ok() ? "" : parsed.error().message);
  if (!parsed.ok()) return nullptr;
  auto source = make_source(*parsed, options, environment());
  EXPECT_TRUE(source.ok()) << url << ": " << (source.ok() ? "" : source.error().message);
  return source.ok() ? *source : nullptr;
}

Flow CollectingSink::on_start(const ReadStart& start) {
  {
    const std::lock_guard lock(mutex_);
    EXPECT_FALSE(outcome_.start.has_value()) << "on_start twice";
    EXPECT_EQ(outcome_.done_calls, 0);
    EXPECT_FALSE(start.validator.empty());
    outcome_.start = start;
  }
  return start_flow(start);
}

Flow CollectingSink::on_data(std::span<const std::byte> data) {
  std::size_t so_far = 0;
  {
    const std::lock_guard lock(mutex_);
    EXPECT_TRUE(outcome_.start.has_value()) << "on_data before on_start";
    EXPECT_EQ(outcome_.done_calls, 0) << "on_data after on_done";
    outcome_.bytes.append(reinterpret_cast<const char*>(data.data()), data.size());
    so_far = outcome_.bytes.size();
    changed_.notify_all();
  }
  return data_flow(so_far);
}

void CollectingSink::on_done(Status status) {
  const std::lock_guard lock(mutex_);
  outcome_.status = std::move(status);
  EXPECT_EQ(++outcome_.done_calls, 1) << "on_done twice";
  if (outcome_.status.ok()) {
    EXPECT_TRUE(outcome_.start.has_value()) << "success without on_start";
    EXPECT_EQ(outcome_.bytes.size(), outcome_.start ? outcome_.start->length : 0);
  }
  changed_.notify_all();
}

ReadOutcome CollectingSink::wait() {
  std::unique_lock lock(mutex_);
  const bool done = changed_.wait_for(lock, kLost, [&] { return outcome_.done_calls > 0; });
  EXPECT_TRUE(done) << "on_done never came";
  return outcome_;
}

bool CollectingSink::wait_for(std::size_t bytes) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, kLost,
                    [&] { return outcome_.done_calls > 0 || outcome_.bytes.size() >= bytes; });
  return outcome_.done_calls == 0 && outcome_.bytes.size() >= bytes;
}

Result<Listing> list(Source& source, const std::string& path, RequestContext ctx,
                     const std::string& known) {
  return wait_for_answer<Listing>(
      [&](auto done) { source.list(path, known, std::move(ctx), std::move(done)); });
}

Result<RemoteEntry> stat(Source& source, const std::string& path, RequestContext ctx) {
  return wait_for_answer<RemoteEntry>(
      [&](auto done) { source.stat(path, std::move(ctx), std::move(done)); });
}

ReadOutcome read(Source& source, const std::string& path, const std::string& validator,
                 std::uint64_t offset, std::uint64_t length, RequestContext ctx) {
  auto sink = std::make_shared<CollectingSink>();
  const auto transfer = source.read({path, validator, offset, length}, sink, std::move(ctx));
  EXPECT_NE(transfer, nullptr);
  return sink->wait();
}

const RemoteEntry* find(const Listing& listing, const std::string& name) {
  for (const RemoteEntry& entry : listing.entries) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

}  // namespace lazyvol::source
