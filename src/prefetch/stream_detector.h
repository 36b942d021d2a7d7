// Which bytes will be wanted next: a pure policy over the reads of one open file.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace lazyvol::prefetch {

struct ByteRange {
  std::uint64_t begin = 0, end = 0;  ///< half open
  bool operator==(const ByteRange&) const = default;
};

struct StreamOptions {
  std::uint64_t first_window = 1ULL << 20;
  std::uint64_t max_window = 64ULL << 20;       ///< max-readahead
  std::uint64_t back_seek_kept = 1ULL << 20;    ///< a jump back or ahead of this much is no new stream
  std::uint32_t max_streams = 8;                ///< readers that share one file, told apart
  std::uint32_t sequential_after = 2;           ///< reads in a row before readahead begins
};

/// Tells several sequential streams apart in the reads of one file, tolerant of the kernel's
/// out-of-order requests. The window doubles while the reader keeps consuming what was fetched ahead
/// and is forgotten when it jumps. Not thread-safe: guard with the file's lock.
class StreamDetector {
 public:
  StreamDetector(StreamOptions options, std::uint64_t file_size);

  /// Records a read; answers with the range beyond it that should be fetched ahead now, without what
  /// was asked for before in this stream. nullopt: nothing (random, or enough is under way).
  std::optional<ByteRange> on_read(std::uint64_t offset, std::uint64_t length);
  /// True while the last read continued no stream.
  bool random() const;

 private:
  struct Stream {
    std::uint64_t next = 0;        ///< where it is expected to go on
    std::uint64_t ahead = 0;       ///< everything before this was asked for
    std::uint64_t window = 0;
    std::uint32_t hits = 0;
    std::uint64_t used = 0;        ///< logical time, for replacement
  };
  StreamOptions options_;
  std::uint64_t file_size_;
  std::vector<Stream> streams_;
  std::uint64_t tick_ = 0;
  bool random_ = false;
};

}  // namespace lazyvol::prefetch
