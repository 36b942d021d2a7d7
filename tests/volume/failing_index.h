// An Index whose writes fail when told, as on a full disk.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "cache/index.h"

namespace lazyvol::testing {

/// `inner` must outlive it. Thread-safe.
class FailingIndex final : public cache::Index {
 public:
  explicit FailingIndex(cache::Index& inner) : inner_(inner) {}
  void set_full(bool full) { full_ = full; }

  Result<std::optional<std::string>> get(cache::Keyspace space,
                                         std::string_view key) const override {
    return inner_.get(space, key);
  }
  Result<std::optional<std::pair<std::string, std::string>>> get_at_or_before(
      cache::Keyspace space, std::string_view key, std::string_view prefix) const override {
    return inner_.get_at_or_before(space, key, prefix);
  }
  Status scan(cache::Keyspace space, std::string_view prefix,
              const std::function<bool(std::string_view, std::string_view)>& visit) const override {
    return inner_.scan(space, prefix, visit);
  }
  Status write(cache::IndexBatch batch, bool durable) override {
    if (full_) return Error{Code::no_space, "the disk is full"};
    return inner_.write(std::move(batch), durable);
  }
  std::uint64_t disk_bytes() const override { return inner_.disk_bytes(); }

 private:
  cache::Index& inner_;
  std::atomic<bool> full_{false};
};

}  // namespace lazyvol::testing
