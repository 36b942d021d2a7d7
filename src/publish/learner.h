// Learning again from a volume what a publisher's state has lost: which chunks its frames hold, and
// the fingerprints of its files.
//
// A piece of a file is a chunk, so reading the pieces of every file shows them all.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "catalog/entry.h"
#include "catalog/page_store.h"
#include "lazyvol/error.h"
#include "publish/contents.h"
#include "publish/progress.h"
#include "publish/state.h"

namespace lazyvol::publish {

/// Thread rule: one thread.
class Learner {
 public:
  /// `frames` reads contents, maps and pages alike. All must outlive it.
  Learner(catalog::PageReader& frames, State& state, Progress& progress)
      : frames_(frames), state_(state), progress_(progress) {}

  /// The row of an entry, without inode and stamp. When its bytes cannot be read because they are
  /// missing or damaged, the row has no fingerprint, so that the file is stored anew. Errors: those
  /// of store and state; cancelled.
  Result<FileRow> learn(const catalog::Entry& entry);
  /// Hands the last chunks to the state.
  Status finish();

 private:
  Result<Fingerprint> fingerprint(const catalog::Entry& entry);
  Status piece(const catalog::FrameRef& frame, std::uint64_t offset, std::uint64_t length,
               ContentFingerprint& hash);

  catalog::PageReader& frames_;
  State& state_;
  Progress& progress_;
  struct Learned {
    catalog::FrameRef frame;
    std::map<std::uint32_t, ChunkInFrame> chunks;  ///< by offset
  };
  /// By pack and offset.
  std::map<catalog::Digest, std::map<std::uint32_t, Learned>> learned_;
  std::size_t count_ = 0;
};

}  // namespace lazyvol::publish
