// Reading one file as it was at one moment: its holes and its bytes in chunks.
//
// Holes are found with SEEK_HOLE and SEEK_DATA; those shorter than kMinHole are read as zeros,
// which cost less than a file map does. Thread rule: pure functions of the file system.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "catalog/digest.h"
#include "lazyvol/error.h"
#include "publish/chunker.h"
#include "publish/tree.h"
#include "publish/tree_files.h"

namespace lazyvol::publish {

inline constexpr std::uint64_t kMinHole = 64 * 1024;

/// Bytes that are stored as one, and their SHA-256.
struct Chunk {
  std::string bytes;
  catalog::Digest digest;
};

/// Takes the parts of a file in order. Every answer: false to stop reading.
class ContentSink {
 public:
  virtual ~ContentSink() = default;
  /// All bytes of a file of up to kWholeFile without holes, known not to have changed meanwhile.
  virtual bool whole(Chunk chunk) = 0;
  /// Other files come in chunks and holes.
  virtual bool chunk(Chunk chunk) = 0;
  virtual bool hole(std::uint64_t length) = 0;
  /// The file changed meanwhile: what came so far is void.
  virtual bool restart() = 0;
};

/// What a file was when its bytes were read.
struct FileFacts {
  Stamp stamp;
  bool settled = false;  ///< a later change would show in the stamp
  /// True when it is not as it was scanned; then the rest is to be taken instead.
  bool changed = false;
  std::uint32_t mode = 0, uid = 0, gid = 0;
  std::vector<catalog::Xattr> xattrs;
};

struct ReadSettings {
  Chunks chunks = Chunks::standard;
  std::int64_t settle_ns = 2'000'000'000;  ///< see FileFacts::settled
};

/// Reads the file `path` below `root`, which was scanned as `scanned`. A file that changes while it
/// is read is read again, three times at most. Errors: not_found (it went), io_error (it kept
/// changing, or is no file any more), access_denied, cancelled (the sink stopped); all name it.
Result<FileFacts> read_content(const Fd& root, const std::string& path, const Stamp& scanned,
                               const ReadSettings& settings, ContentSink& sink);

}  // namespace lazyvol::publish
