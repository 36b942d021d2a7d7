#include "publish/read_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "publish/chunker.h"

namespace lazyvol::publish {
namespace {

constexpr int kTries = 3;

enum class Outcome : std::uint8_t { whole, changed, stopped };

// A stretch without a long hole, and the hole behind it.
struct Stretch {
  std::uint64_t data_end = 0, hole_end = 0;
};

Stretch find_stretch(const Fd& file, std::uint64_t begin, std::uint64_t size) {
  std::uint64_t end = begin;
  while (end < size) {
    const off_t data = ::lseek(file.get(), static_cast<off_t>(end), SEEK_DATA);
    if (data < 0 && errno != ENXIO) return {size, size};  // it cannot tell
    const std::uint64_t next = data < 0 ? size : std::min<std::uint64_t>(size, data);
    if (next - end >= kMinHole) return {end, next};
    if (next >= size) break;
    const off_t hole = ::lseek(file.get(), static_cast<off_t>(next), SEEK_HOLE);
    if (hole <= static_cast<off_t>(next)) break;
    end = std::min<std::uint64_t>(size, hole);
  }
  return {size, size};
}

class Reading {
 public:
  Reading(const Fd& file, const std::string& path, std::uint64_t size, Chunks chunks,
          ContentSink& sink)
      : file_(file), path_(path), size_(size), chunker_(chunk_sizes(size, chunks)), sink_(sink) {}

  // `may_have_holes`: fewer blocks than bytes.
  Result<Outcome> run(bool may_have_holes) {
    std::uint64_t at = 0;
    while (at < size_) {
      const Stretch next = may_have_holes ? find_stretch(file_, at, size_) : Stretch{size_, size_};
      LAZYVOL_TRY_ASSIGN(const Outcome outcome, data(at, next.data_end));
      if (outcome != Outcome::whole) return outcome;
      if (next.hole_end > next.data_end && !sink_.hole(next.hole_end - next.data_end)) {
        return Outcome::stopped;
      }
      at = next.hole_end;
    }
    return Outcome::whole;
  }

 private:
  Result<Outcome> data(std::uint64_t at, std::uint64_t end) {
    std::string& buffer = shared_buffer();
    std::size_t begin = 0, filled = 0;
    while (at < end || filled > begin) {
      if (filled - begin < chunker_.sizes().most && at < end) {
        std::memmove(buffer.data(), buffer.data() + begin, filled - begin);
        filled -= std::exchange(begin, 0);
        const auto wanted = std::min<std::uint64_t>(end - at, buffer.size() - filled);
        const ssize_t got =
            ::pread(file_.get(), buffer.data() + filled, wanted, static_cast<off_t>(at));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return errno_error(errno, "read " + path_);
        if (got == 0) return Outcome::changed;  // it is shorter now
        at += static_cast<std::uint64_t>(got);
        filled += static_cast<std::size_t>(got);
        continue;
      }
      const std::string_view rest(buffer.data() + begin, filled - begin);
      const std::size_t length = chunker_.cut(rest);
      Chunk chunk{std::string(rest.substr(0, length)), catalog::sha256(rest.substr(0, length))};
      begin += length;
      if (!sink_.chunk(std::move(chunk))) return Outcome::stopped;
    }
    return Outcome::whole;
  }
  std::string& shared_buffer() const {
    thread_local std::string buffer;
    if (buffer.size() < 2 * std::size_t{chunker_.sizes().most}) {
      buffer.resize(2 * std::size_t{chunker_.sizes().most});
    }
    return buffer;
  }

  const Fd& file_;
  const std::string& path_;
  std::uint64_t size_;
  Chunker chunker_;
  ContentSink& sink_;
};

Result<struct stat> status_of(const Fd& file, const std::string& path) {
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return errno_error(errno, "stat " + path);
  return status;
}

// A file up to kWholeFile: handed over only when it proved not to have changed.
Result<std::optional<Chunk>> read_whole(const Fd& file, const std::string& path,
                                        const struct stat& before) {
  Chunk chunk{std::string(static_cast<std::size_t>(before.st_size), '\0'), {}};
  std::size_t filled = 0;
  while (filled < chunk.bytes.size()) {
    const ssize_t got = ::pread(file.get(), chunk.bytes.data() + filled,
                                chunk.bytes.size() - filled, static_cast<off_t>(filled));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error(errno, "read " + path);
    if (got == 0) return std::optional<Chunk>();
    filled += static_cast<std::size_t>(got);
  }
  LAZYVOL_TRY_ASSIGN(const struct stat after, status_of(file, path));
  if (stamp_of(after) != stamp_of(before)) return std::optional<Chunk>();
  chunk.digest = catalog::sha256(chunk.bytes);
  return std::optional(std::move(chunk));
}

Result<Outcome> read_once(const Fd& file, const std::string& path, const struct stat& before,
                          Chunks chunks, ContentSink& sink) {
  const auto size = static_cast<std::uint64_t>(before.st_size);
  const bool has_holes = static_cast<std::uint64_t>(before.st_blocks) * 512 < size;
  if (size == 0) return Outcome::whole;
  if (size <= kWholeFile && (!has_holes || size < kMinHole)) {
    LAZYVOL_TRY_ASSIGN(std::optional<Chunk> chunk, read_whole(file, path, before));
    if (!chunk) return Outcome::changed;
    return sink.whole(*std::move(chunk)) ? Outcome::whole : Outcome::stopped;
  }
  LAZYVOL_TRY_ASSIGN(const Outcome outcome, Reading(file, path, size, chunks, sink).run(has_holes));
  if (outcome == Outcome::stopped) return outcome;
  LAZYVOL_TRY_ASSIGN(const struct stat after, status_of(file, path));
  if (outcome == Outcome::whole && stamp_of(after) == stamp_of(before)) return outcome;
  return sink.restart() ? Outcome::changed : Outcome::stopped;
}

bool is_settled(const Stamp& stamp, std::int64_t read_ns, std::int64_t within_ns) {
  // The kernel sets ctime, so one in the future means that its clock was set back since.
  return stamp.ctime_ns < read_ns - within_ns &&
         (stamp.mtime_ns < read_ns - within_ns || stamp.mtime_ns > read_ns + within_ns);
}

Result<Fd> open_file(const Fd& root, const std::string& path) {
  auto file = open_below(root, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (!file.ok() && file.error().code == Code::not_found) {
    return Error{Code::not_found, path + " vanished while the tree was read"};
  }
  return file;
}

}  // namespace

Result<FileFacts> read_content(const Fd& root, const std::string& path, const Stamp& scanned,
                               const ReadSettings& settings, ContentSink& sink) {
  for (int tries = 0; tries < kTries; ++tries) {
    LAZYVOL_TRY_ASSIGN(const Fd file, open_file(root, path));
    const std::int64_t read_ns = base::system_clock().wall_ns();
    LAZYVOL_TRY_ASSIGN(const struct stat before, status_of(file, path));
    if (!S_ISREG(before.st_mode)) {
      return Error{Code::io_error, path + " is no file any more: it changed while it was read"};
    }
    FileFacts facts;
    facts.stamp = stamp_of(before);
    facts.settled = is_settled(facts.stamp, read_ns, settings.settle_ns);
    facts.changed = facts.stamp != scanned;
    if (facts.changed) {
      facts.mode = before.st_mode & 07777U;
      facts.uid = before.st_uid;
      facts.gid = before.st_gid;
      LAZYVOL_TRY_ASSIGN(facts.xattrs, read_xattrs(proc_path(file), true, path));
    }
    LAZYVOL_TRY_ASSIGN(const Outcome outcome, read_once(file, path, before, settings.chunks, sink));
    if (outcome == Outcome::whole) return facts;
    if (outcome == Outcome::stopped) return Error{Code::cancelled, "publishing was cancelled"};
  }
  return Error{Code::io_error, path + " kept changing while it was read"};
}

}  // namespace lazyvol::publish
