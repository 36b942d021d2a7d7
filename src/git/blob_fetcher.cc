#include "git/blob_fetcher.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/workers.h"

namespace lazyvol::git {
namespace {

// Of those that were said to be likely and that nobody asks for.
constexpr std::size_t kMaxExpected = 100'000;
// After a batch failed because one of it cannot be had, so many are asked for one by one.
constexpr std::size_t kMaxSingle = 64;

}  // namespace

BlobFetcher::BlobFetcher(std::unique_ptr<Repository> repository, BlobReader& reader,
                         BlobFetcherSettings settings)
    : repository_(std::move(repository)), reader_(reader), settings_(settings) {
  *progress_.lock() = std::chrono::steady_clock::now();
  thread_ = std::thread([this] {
    base::name_this_thread("lv-git-blob");
    run();
  });
}

BlobFetcher::~BlobFetcher() {
  stop();
}

void BlobFetcher::stop() {
  stop_.request_stop();
  state_.lock()->stopping = true;
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void BlobFetcher::want(std::string name, Done done) {
  auto state = state_.lock();
  if (state->stopping) {
    state.unlock();
    return done(Error{Code::cancelled, "shutting down"});
  }
  const bool idle = state->wanted.empty();
  const auto [found, fresh] = state->wanted.try_emplace(name);
  found->second.push_back(std::move(done));
  if (fresh) state->order.push_back(std::move(name));
  if (idle) *progress_.lock() = std::chrono::steady_clock::now();
  wake_.notify_all();
}

void BlobFetcher::expect(std::vector<std::string> names) {
  auto state = state_.lock();
  // The newest are the likeliest.
  for (std::string& name : names) state->expected.push_back(std::move(name));
  while (state->expected.size() > kMaxExpected) state->expected.pop_front();
}

void BlobFetcher::set_remote(std::uint16_t number, std::string url) {
  state_.lock()->urls[number] = std::move(url);
}

void BlobFetcher::run() {
  for (;;) {
    Batch batch;
    if (!take(batch)) break;
    serve(batch);
    batch.waiting.clear();
    keep_house();
  }
  // Callbacks outside of the lock: they may ask again, and are refused.
  std::unordered_map<std::string, std::vector<Done>> left;
  left.swap(state_.lock()->wanted);
  for (auto& [name, waiting] : left) {
    for (const Done& done : waiting) done(Error{Code::cancelled, "shutting down"});
  }
}

/// Waits until somebody asks. False when it is time to end.
bool BlobFetcher::take(Batch& batch) {
  auto state = state_.lock();
  wake_.wait(state.native(), [&] { return state->stopping || !state->order.empty(); });
  if (state->stopping) return false;
  batch.urls.swap(state->urls);
  std::size_t room = settings_.max_batch;
  for (; room > 0 && !state->order.empty(); --room) {
    std::string name = std::move(state->order.front());
    state->order.pop_front();
    auto waiting = state->wanted.extract(name);
    if (const auto place = parse_object_name(name)) {
      batch.wanted[place->remote].push_back(place->id);
    }
    batch.waiting.emplace_back(std::move(name), std::move(waiting.mapped()));
  }
  for (; room > 0 && !state->expected.empty(); --room) {
    const auto place = parse_object_name(state->expected.back());
    state->expected.pop_back();
    if (place) batch.expected[place->remote].push_back(place->id);
  }
  state->expected.clear();  // what had no room is not what was asked for last
  return true;
}

void BlobFetcher::serve(Batch& batch) {
  for (const auto& [number, url] : batch.urls) {
    if (auto status = repository_->set_remote(number, url); !status.ok()) {
      base::log_warn("{}", status.error().message);
    }
  }
  std::map<std::uint16_t, Status> outcomes;
  std::map<std::string, Error> errors;  // of single ids
  for (auto& [remote, ids] : batch.wanted) {
    outcomes.emplace(remote, fetch(remote, ids, batch.expected[remote], errors));
  }
  for (auto& [name, waiting] : batch.waiting) {
    const auto place = parse_object_name(name);
    Status status = Error{Code::not_found, "no object is called " + name};
    if (place) {
      const auto single = errors.find(place->id);
      status = single != errors.end() ? Status(single->second) : outcomes.at(place->remote);
    }
    for (const Done& done : waiting) done(status);
  }
}

/// One request for all, if the server has all of them; likely ones are dropped before those that
/// somebody waits for, and of these the ones that it lacks get errors of their own.
Status BlobFetcher::fetch(std::uint16_t remote, std::vector<std::string> wanted,
                          std::vector<std::string> expected, std::map<std::string, Error>& errors) {
  if (!expected.empty()) {
    std::vector<std::string> all = wanted;
    all.insert(all.end(), expected.begin(), expected.end());
    const Status status = fetch_once(remote, std::move(all));
    if (status.ok() || status.error().code != Code::not_found) return status;
  }
  const Status status = fetch_once(remote, wanted);
  if (status.ok() || status.error().code != Code::not_found || wanted.size() > kMaxSingle) {
    return status;
  }
  for (const std::string& id : wanted) {
    const Status one = fetch_once(remote, {id});
    if (!one.ok()) errors.emplace(id, one.error());
  }
  return {};
}

Status BlobFetcher::fetch_once(std::uint16_t remote, std::vector<std::string> ids) {
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  LAZYVOL_TRY_ASSIGN(const auto sizes, reader_.sizes(ids));
  std::vector<std::string> missing;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (!sizes[i]) missing.push_back(std::move(ids[i]));
  }
  if (missing.empty()) return {};
  {
    auto stats = stats_.lock();
    ++stats->requests;
    stats->blobs += missing.size();
  }
  Patience patience{settings_.io_timeout, stop_.get_token(),
                    [this] { *progress_.lock() = std::chrono::steady_clock::now(); }};
  return repository_->fetch_blobs(remote, missing, patience);
}

void BlobFetcher::keep_house() {
  const auto packs = repository_->packs();
  if (packs.bytes > settings_.max_bytes) {
    // A quarter at once, so that it is not done for each batch.
    repository_->trim(settings_.max_bytes / 4 * 3);
    reader_.forget_packs();
  }
  if (packs.count > settings_.max_packs) {
    const auto status = repository_->consolidate({settings_.io_timeout, stop_.get_token(), {}});
    if (!status.ok() && status.error().code != Code::cancelled) {
      base::log_warn("{}: {}", repository_->directory().string(), status.error().message);
    }
    reader_.forget_packs();
  }
}

}  // namespace lazyvol::git
