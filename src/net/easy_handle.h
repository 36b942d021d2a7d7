// Ownership of libcurl's handles, and a pool of them.
#pragma once

#include <curl/curl.h>

#include <memory>
#include <vector>

namespace lazyvol::net {

struct EasyDeleter {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
using EasyHandle = std::unique_ptr<CURL, EasyDeleter>;

struct MultiDeleter {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};
using MultiHandle = std::unique_ptr<CURLM, MultiDeleter>;

struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, ListDeleter>;

/// Keeps up to kMaxIdle used handles, since making one costs more than resetting it. Not
/// thread-safe.
class EasyPool {
 public:
  /// A handle with every option at its default; null when out of memory.
  EasyHandle take() {
    if (idle_.empty()) return EasyHandle(curl_easy_init());
    EasyHandle easy = std::move(idle_.back());
    idle_.pop_back();
    return easy;
  }
  void give(EasyHandle easy) {
    constexpr std::size_t kMaxIdle = 64;
    if (!easy || idle_.size() >= kMaxIdle) return;
    curl_easy_reset(easy.get());
    idle_.push_back(std::move(easy));
  }

 private:
  std::vector<EasyHandle> idle_;
};

}  // namespace lazyvol::net
