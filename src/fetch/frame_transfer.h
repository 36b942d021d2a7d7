// One range request for frames: the sink that cuts arriving bytes into frames.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "fetch/background_gate.h"
#include "fetch/frame_flight.h"
#include "lazyvol/source.h"

namespace lazyvol::fetch {

class FrameEngine;

/// Lives from the start of a request until its on_done; what a source keeps for longer holds
/// nobody. The sink's methods come one at a time on
/// the source's thread; they take the engine's lock at frame boundaries only. It never pauses: the
/// memory for all of its frames was reserved before.
class FrameTransfer final : public ReadSink, public std::enable_shared_from_this<FrameTransfer> {
 public:
  /// `frames` lie in one pack, by rising offset, without overlap. The beginning of the first one
  /// that came earlier is taken out of it.
  FrameTransfer(std::shared_ptr<FrameEngine> engine, OriginRanks::Choice choice,
                std::vector<std::shared_ptr<FrameFlight>> frames);

  // ReadSink
  Flow on_start(const ReadStart& start) override;
  Flow on_data(std::span<const std::byte> data) override;
  void on_done(Status status) override;
  void on_progress() override { touch(); }

  /// When the last byte came (or it began). Thread-safe.
  base::Monotonic last_byte() const {
    return base::Monotonic(base::Monotonic::duration(last_byte_.load(std::memory_order_relaxed)));
  }

  // constant
  const OriginRanks::Choice choice;
  const std::vector<std::shared_ptr<FrameFlight>> frames;
  const std::uint64_t offset, end;  ///< asked for, in bytes of the pack
  const base::Monotonic begun;
  std::chrono::milliseconds patience{};  ///< without a byte; set before it starts
  std::stop_source stop;                 ///< self-synchronised

  // Set under the engine's lock, once; read anywhere: nobody wants what this brings.
  std::atomic<bool> detached{false};

  // The source's thread only.
  std::optional<Error> refusal;  ///< why this side aborted
  std::uint64_t received = 0;    ///< bytes of all kinds
  std::uint64_t total_size = 0;  ///< of the pack, as the origin says
  std::size_t next = 0;          ///< frame that comes, or comes next
  std::string current;           ///< of it, so far
  OriginSet current_from = 0;    ///< who sent that

  // Guarded by the engine's lock.
  std::unique_ptr<BackgroundGate::Token> token;  ///< until on_done
  std::shared_ptr<Transfer> transfer;            ///< from when the origin answered until on_done
  bool ended = false;
  std::uint64_t held =
      0;  ///< of the budget, for frames that left it unfinished, until it has ended

 private:
  void touch();

  std::shared_ptr<FrameEngine> engine_;  // until on_done
  std::atomic<base::Monotonic::rep> last_byte_;
  std::uint64_t position_ = 0;  ///< in the pack; the source's thread only
};

}  // namespace lazyvol::fetch
