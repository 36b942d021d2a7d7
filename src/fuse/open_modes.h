// How each file of a mount that is open is read: through us, or by the kernel itself.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <unordered_map>

#include "base/locked.h"
#include "fuse/passthrough.h"
#include "lazyvol/entry.h"
#include "lazyvol/volume.h"

namespace lazyvol::fuse {

/// The kernel refuses (EIO) to open a file in one way while it is open in the other, or with
/// another backing file; so whoever opens it first decides, until the last one has closed it. The
/// kernel lets go before it sends RELEASE: what is counted here is never less than what it counts.
/// Thread-safe.
class OpenModes {
 public:
  explicit OpenModes(Passthrough& passthrough) : passthrough_(passthrough) {}

  /// One more open of `node`. Answers with the backing id to open it with; 0: reads come to us.
  int begin(NodeId node, File& file);
  /// One less. True when it was the last of a file whose reads came to us.
  bool end(NodeId node);
  /// Forgets all, when the kernel holds nothing any more.
  void clear();

  std::uint64_t passed_through() const { return passed_through_.load(std::memory_order_relaxed); }
  std::uint64_t passing_now() const { return passing_now_.load(std::memory_order_relaxed); }

 private:
  struct Mode {
    std::uint64_t opens = 0;
    int backing = 0;
    std::unique_ptr<LocalFile> local;  // keeps the bytes where they are
  };
  void let_go(const Mode& mode);

  Passthrough& passthrough_;
  base::Locked<std::unordered_map<NodeId, Mode>> modes_;
  std::atomic<std::uint64_t> passed_through_{0}, passing_now_{0};
};

}  // namespace lazyvol::fuse
