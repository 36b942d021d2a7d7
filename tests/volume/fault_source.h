// A Source that fails now and then, in front of a real one.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <random>
#include <string>

#include "base/locked.h"
#include "lazyvol/source.h"

namespace lazyvol::testing {

/// While faults are on, a share of the calls fails: list and stat with a transient error; read with
/// one, at once or broken off in the middle. Thread-safe, reproducible up to the order of calls.
class FaultSource final : public Source {
 public:
  FaultSource(std::shared_ptr<Source> inner, std::uint64_t seed)
      : inner_(std::move(inner)), random_(std::mt19937_64(seed)) {}

  /// 0 = never, 100 = always.
  void set_faults(unsigned percent) { percent_ = percent; }
  std::uint64_t injected() const { return injected_; }

  SourceTraits traits() const override { return inner_->traits(); }
  void list(std::string path, std::string known_validator, RequestContext ctx,
            ListDone done) override;
  void stat(std::string path, RequestContext ctx, StatDone done) override;
  std::shared_ptr<Transfer> read(ReadRequest request, std::shared_ptr<ReadSink> sink,
                                 RequestContext ctx) override;

 private:
  bool strikes();
  Error error();
  std::uint64_t pick(std::uint64_t below);

  const std::shared_ptr<Source> inner_;
  std::atomic<unsigned> percent_{0};
  std::atomic<std::uint64_t> injected_{0};
  base::Locked<std::mt19937_64> random_;
};

}  // namespace lazyvol::testing
