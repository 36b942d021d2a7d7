// A store of pages in memory. A page's place is a function of its bytes, so that equal trees have
// equal roots.
#pragma once

#include <unordered_map>
#include <utility>
#include <vector>

#include "catalog/page_store.h"

namespace lazyvol::catalog {

class MemoryPages : public PageReader, public PageWriter {
 public:
  Result<std::shared_ptr<const std::string>> read(const FrameRef& ref) override {
    ++reads;
    const auto found = pages_.find(ref.hash);
    if (found == pages_.end()) return Error{Code::io_error, "no such page"};
    return found->second;
  }
  Status write(std::string page) override {
    FrameRef ref;
    ref.hash = sha256(page);
    ref.pack = ref.hash;
    ref.raw = ref.stored = static_cast<std::uint32_t>(page.size());
    sizes.push_back(page.size());
    if (pages_.emplace(ref.hash, std::make_shared<const std::string>(std::move(page))).second) {
      fresh_bytes += ref.stored;
      ++fresh;
    }
    open_.push_back(ref);
    return {};
  }
  Result<std::vector<FrameRef>> seal() override { return std::exchange(open_, {}); }

  std::size_t reads = 0, fresh = 0, fresh_bytes = 0;
  std::vector<std::size_t> sizes;

 private:
  std::unordered_map<Digest, std::shared_ptr<const std::string>, DigestHash> pages_;
  std::vector<FrameRef> open_;
};

}  // namespace lazyvol::catalog
