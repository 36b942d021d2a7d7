// One call of Source::read(): the sink that cuts arriving bytes into blocks.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>

#include "base/clock.h"
#include "fetch/background_gate.h"
#include "fetch/buffer_pool.h"
#include "fetch/flight.h"
#include "lazyvol/source.h"

namespace lazyvol::fetch {

class Engine;

/// Lives from the start of a request until its on_done; what a source keeps for longer is an empty
/// shell. The sink's methods come one at a time on the source's thread; they take the engine's lock
/// at block boundaries only.
class Attempt final : public ReadSink, public std::enable_shared_from_this<Attempt> {
 public:
  Attempt(std::shared_ptr<Engine> engine, std::shared_ptr<Request> request, std::uint64_t offset,
          std::uint64_t length);

  // ReadSink
  Flow on_start(const ReadStart& start) override;
  Flow on_data(std::span<const std::byte> data) override;
  void on_done(Status status) override;
  void on_progress() override { touch(base::system_clock().now()); }

  /// When the last byte or sign of progress came (or the attempt began). Thread-safe.
  base::Monotonic last_byte() const {
    return base::Monotonic(base::Monotonic::duration(last_byte_.load(std::memory_order_relaxed)));
  }
  void touch(base::Monotonic now) {
    last_byte_.store(now.time_since_epoch().count(), std::memory_order_relaxed);
  }

  // constant
  std::shared_ptr<Request> request;    ///< until on_done
  const std::uint64_t offset, length;  ///< asked for, in bytes of the content
  std::stop_source stop;               ///< self-synchronised

  // Set under the engine's lock, once; read anywhere: nobody wants what this attempt brings.
  std::atomic<bool> detached{false};

  // The source's thread only.
  std::optional<Error> refusal;  ///< why this side aborted
  std::uint64_t promised = 0;    ///< bytes still to come
  std::uint64_t received = 0;
  std::uint64_t block = 0;  ///< being filled
  std::uint32_t filled = 0, block_length = 0;
  std::shared_ptr<BlockBuffer> buffer;  ///< null while bytes are skipped
  bool open = false;                    ///< `block` is being filled or skipped
  bool check_flow = false;              ///< whole: a block was begun, may the stream go on?

  // Guarded by the engine's lock.
  std::shared_ptr<Transfer> transfer;            ///< null until Source::read() returned
  std::unique_ptr<BackgroundGate::Token> token;  ///< until on_done
  bool ended = false;  ///< on_done came: `transfer`, which may hold this sink, is let go
  bool paused = false;
  bool awaits_reader = false;  ///< whole: paused until somebody wants what it brings next
  bool resume_early = false;   ///< resumed before `transfer` was known

 private:
  std::shared_ptr<Engine> engine_;  // constant until on_done
  std::atomic<base::Monotonic::rep> last_byte_;
};

}  // namespace lazyvol::fetch
