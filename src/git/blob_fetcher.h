// Blobs from the server, in batches: who asks while one is under way goes with the next.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/locked.h"
#include "git/blob_reader.h"
#include "git/object_name.h"
#include "git/repository.h"
#include "lazyvol/error.h"

namespace lazyvol::git {

struct BlobFetcherSettings {
  std::chrono::milliseconds io_timeout{10'000};
  std::size_t max_batch = 4'000;         ///< blobs of one request
  std::uint64_t max_bytes = 2ULL << 30;  ///< of fetched packs; more are deleted, the oldest first
  std::size_t max_packs = 50;            ///< more are joined
};

struct BlobFetcherStats {
  std::uint64_t requests = 0, blobs = 0;
};

/// Owns the thread "lv-git-blob", which runs git. Thread-safe.
class BlobFetcher {
 public:
  using Done = std::function<void(Status)>;

  /// `repository` is the fetcher's alone; `reader` reads what lies in it, and outlives this.
  BlobFetcher(std::unique_ptr<Repository> repository, BlobReader& reader,
              BlobFetcherSettings settings);
  /// As stop().
  ~BlobFetcher();

  /// Calls `done` when the object (object_name.h) was fetched or could not be; it may
  /// have been here before. On the fetcher's thread, or inline when it is stopped.
  void want(std::string name, Done done);
  /// These go with the next batch that somebody waits for, as far as there is room.
  void expect(std::vector<std::string> names);
  /// The URL of a remote but SOURCE.
  void set_remote(std::uint16_t number, std::string url);

  /// When something last came of what is under way, for deadlines.
  std::chrono::steady_clock::time_point progress() const { return *progress_.lock(); }
  BlobFetcherStats stats() const { return *stats_.lock(); }
  /// Ends what is under way and waits, all with cancelled. Idempotent; not from a callback.
  void stop();

 private:
  struct State {
    std::unordered_map<std::string, std::vector<Done>> wanted;
    std::deque<std::string> order;  ///< of `wanted`
    std::deque<std::string> expected;
    std::map<std::uint16_t, std::string> urls;  ///< to be set
    bool stopping = false;
  };
  struct Batch {
    std::map<std::uint16_t, std::vector<std::string>> wanted, expected;  ///< ids, by remote
    std::vector<std::pair<std::string, std::vector<Done>>> waiting;      ///< by name
    std::map<std::uint16_t, std::string> urls;
  };
  void run();
  bool take(Batch& batch);
  void serve(Batch& batch);
  Status fetch(std::uint16_t remote, std::vector<std::string> wanted,
               std::vector<std::string> expected, std::map<std::string, Error>& errors);
  Status fetch_once(std::uint16_t remote, std::vector<std::string> ids);
  void keep_house();

  const std::unique_ptr<Repository> repository_;  // the thread's
  BlobReader& reader_;
  const BlobFetcherSettings settings_;
  std::stop_source stop_;
  base::Locked<std::chrono::steady_clock::time_point> progress_;
  base::Locked<BlobFetcherStats> stats_;
  base::Locked<State> state_;
  std::condition_variable wake_;
  std::thread thread_;
};

}  // namespace lazyvol::git
