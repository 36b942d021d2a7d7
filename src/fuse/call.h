// One kernel request that is answered later, or was just answered.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/locked.h"
#include "base/workers.h"
#include "fuse/lowlevel.h"
#include "lazyvol/error.h"
#include "lazyvol/request.h"
#include "lazyvol/volume.h"

namespace lazyvol::fuse {

/// What the calls of one session share: counters, the thread that carries interrupts, and the
/// buffers of large reads. Outlives every Call. Thread-safe.
class CallContext {
 public:
  CallContext() : interrupts_("lv-interrupt", 1) {}

  /// Blocks until no Call of this context is unanswered.
  void wait_idle();

  std::unique_ptr<std::byte[]> take_buffer();
  void give_buffer(std::unique_ptr<std::byte[]> buffer);
  static constexpr std::size_t kBufferBytes = 1 << 20;

  std::atomic<std::uint64_t> requests{0}, errors{0}, interrupted{0};
  std::uint64_t waiting() const { return *active_.lock(); }

 private:
  friend class Call;
  base::Locked<std::uint64_t> active_;
  std::condition_variable idle_;
  base::Locked<std::vector<std::unique_ptr<std::byte[]>>> buffers_;
  base::Workers interrupts_;
};

/// Answers one fuse_req_t exactly once: by one of the reply functions, or with EIO when dropped
/// without. FUSE_INTERRUPT requests a stop through context().stop. Any thread may reply.
class Call : public std::enable_shared_from_this<Call> {
 public:
  static std::shared_ptr<Call> begin(CallContext& shared, fuse_req_t request);
  ~Call();
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  RequestContext context(Priority priority, Cause cause) const;

  void reply_error(const Error& error);
  void reply_errno(int errnum);
  void reply_entry(const fuse_entry_param& entry);
  void reply_attributes(const Node& node);
  void reply_link(const std::string& target);
  void reply_bytes(std::span<const std::byte> bytes);
  /// How much room an extended attribute, or the list of their names, needs.
  void reply_xattr_size(std::size_t size);
  void reply_statfs(const struct statvfs& statfs);
  /// False when the kernel no longer wants it (interrupted): the handle must be released by the
  /// caller.
  bool reply_open(const fuse_file_info& info);
  /// The same, with a file that the kernel reads by itself from now on.
  bool reply_open(std::uint64_t handle, int backing_id);

  /// A buffer of at least `size` bytes that lives as long as this call.
  std::span<std::byte> buffer(std::size_t size);

 private:
  Call(CallContext& shared, fuse_req_t request);
  static void on_interrupt(fuse_req_t request, void* self);
  /// Ends the chance of an interrupt; the request may then be answered. Answers with it, once.
  fuse_req_t take();

  CallContext& shared_;
  fuse_req_t request_;
  std::uint32_t pid_;
  std::stop_source stop_;
  std::unique_ptr<std::byte[]> pooled_;
  std::vector<std::byte> small_;
};

}  // namespace lazyvol::fuse
