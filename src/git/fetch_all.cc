#include "git/fetch_all.h"

#include <condition_variable>
#include <memory>
#include <optional>

#include "base/locked.h"

namespace lazyvol::git {
namespace {

class Countdown {
 public:
  explicit Countdown(std::size_t count) : left_(count) {}
  void done(const Status& status) {
    auto left = left_.lock();
    if (!status.ok() && !error_) error_ = status.error();
    if (--*left == 0) wake_.notify_all();
  }
  Status wait() {
    auto left = left_.lock();
    wake_.wait(left.native(), [&] { return *left == 0; });
    return error_ ? Status(*error_) : Status();
  }

 private:
  base::Locked<std::size_t> left_;
  std::optional<Error> error_;  // guarded by left_
  std::condition_variable wake_;
};

}  // namespace

Status fetch_all(BlobFetcher& fetcher, const std::vector<std::string>& names) {
  const auto countdown = std::make_shared<Countdown>(names.size() + 1);
  for (const std::string& name : names) {
    fetcher.want(name, [countdown](const Status& status) { countdown->done(status); });
  }
  countdown->done({});
  return countdown->wait();
}

}  // namespace lazyvol::git
