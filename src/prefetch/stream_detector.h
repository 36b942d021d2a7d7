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
  std::uint32_t growth = 2;  ///< the window is this many times what the stream has read so far
  std::uint64_t max_window = 128ULL << 20;    ///< max-readahead
  std::uint64_t back_seek_kept = 1ULL << 20;  ///< jumping this far is no new stream
  std::uint32_t max_streams = 8;              ///< readers that share one file, told apart
  std::uint32_t sequential_after = 2;         ///< reads in a row before readahead begins
};

/// Tells several sequential streams apart in the reads of one file, tolerant of the kernel's
/// out-of-order requests. The window grows with what the reader has consumed, so that what is
/// fetched in vain stays in proportion, and is forgotten when it jumps. Not thread-safe: guard with
/// the file's lock.
///
/// A stream counts as sequential when it was continued `sequential_after - 1` times and the bytes
/// read cover at least half of the span that it moved over of late. So strided reads, and scattered
/// ones that happen to lie close together, start nothing.
class StreamDetector {
 public:
  StreamDetector(StreamOptions options, std::uint64_t file_size);

  /// Records a read; answers with the range beyond it that should be fetched ahead now, without
  /// what was asked for before in this stream. nullopt: nothing (random, or enough is under way).
  std::optional<ByteRange> on_read(std::uint64_t offset, std::uint64_t length);
  /// True while the last read continued no stream.
  bool random() const { return random_; }
  /// Bounds the window from now on (memory is short, the cache does not store): 0 stops readahead.
  /// Never more than StreamOptions::max_window.
  void limit_window(std::uint64_t bytes);

 private:
  struct Stream {
    std::uint64_t next = 0;      ///< where it is expected to go on
    std::uint64_t ahead = 0;     ///< everything before this was asked for
    std::uint64_t run = 0;       ///< bytes that it went forward while it was sequential
    bool proven = false;         ///< sequential, as of its last read
    std::uint32_t hits = 0;      ///< times it was continued
    std::uint64_t used = 0;      ///< logical time, for replacement
    std::uint64_t begin = 0;     ///< density is judged over [begin, next)
    std::uint64_t consumed = 0;  ///< bytes read in it
  };
  Stream* find(std::uint64_t offset, std::uint64_t length);
  Stream& start(std::uint64_t offset);
  static void advance(Stream& stream, std::uint64_t offset, std::uint64_t length);
  bool sequential(const Stream& stream) const;
  std::optional<ByteRange> ask(Stream& stream) const;

  StreamOptions options_;
  std::uint64_t limit_;  ///< of the window, as of now
  std::uint64_t file_size_;
  std::vector<Stream> streams_;
  std::uint64_t tick_ = 0;
  bool random_ = false;
};

}  // namespace lazyvol::prefetch
