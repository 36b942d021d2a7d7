#include "publish/pack_check.h"

#include <algorithm>
#include <span>
#include <utility>

#include "publish/volume_reader.h"

namespace lazyvol::publish {
namespace {

constexpr std::uint64_t kReadBytes = 4U << 20;
constexpr std::size_t kMaxKeptFrames = 1'000'000;

Error torn(const std::string& path) {
  return {Code::corrupt, path + " is shorter than it was a moment ago"};
}

Result<std::string> read_exactly(Store& store, const std::string& path, std::uint64_t offset,
                                 std::uint64_t length) {
  LAZYVOL_TRY_ASSIGN(std::string bytes, store.read(path, offset, length));
  if (bytes.size() != length) return torn(path);
  return bytes;
}

/// Checks a pack front to back.
class PackReader {
 public:
  PackReader(Store& store, const catalog::Digest& pack, const PackIndex& index,
             const std::function<void(std::uint64_t)>& read, const std::stop_token& stop)
      : store_(store),
        pack_(pack),
        path_(catalog::pack_path(pack)),
        index_(index),
        read_(read),
        stop_(stop) {
    findings_.bytes = index.bytes;
    findings_.frames = index.frames.size();
  }

  Result<PackFindings> run() {
    LAZYVOL_TRY_ASSIGN(const std::string header, take(0, catalog::kPackHeaderBytes));
    if (header != catalog::PackBuilder(index_.trailer.kind).begin()) note("no header");
    std::span<const catalog::FrameRef> rest = index_.frames;
    while (!rest.empty()) {
      const std::size_t count = group(rest);
      LAZYVOL_TRY(frames(rest.first(count)));
      rest = rest.subspan(count);
    }
    LAZYVOL_TRY_ASSIGN(const std::string end, take(index_.trailer.index_offset,
                                                   index_.bytes - index_.trailer.index_offset));
    if (hash_.finish() != pack_) note("its name is not the SHA-256 of its bytes");
    return std::move(findings_);
  }

 private:
  Result<std::string> take(std::uint64_t offset, std::uint64_t length) {
    if (stop_.stop_requested()) return Error{Code::cancelled, "stopped"};
    LAZYVOL_TRY_ASSIGN(std::string bytes, read_exactly(store_, path_, offset, length));
    hash_.update(bytes);
    read_(bytes.size());
    return bytes;
  }
  void note(std::string what) {
    if (findings_.damage.empty()) findings_.damage = std::move(what);
  }
  /// As many frames as one read shall bring, one at least.
  static std::size_t group(std::span<const catalog::FrameRef> frames) {
    std::uint64_t bytes = 0;
    std::size_t count = 0;
    while (count < frames.size() && (count == 0 || bytes + frames[count].stored <= kReadBytes)) {
      bytes += frames[count++].stored;
    }
    return count;
  }
  Status frames(std::span<const catalog::FrameRef> group) {
    const std::uint64_t begin = group.front().offset;
    LAZYVOL_TRY_ASSIGN(const std::string bytes,
                       take(begin, group.back().offset + group.back().stored - begin));
    for (const catalog::FrameRef& frame : group) {
      const auto raw =
          decode_frame(frame, std::string_view(bytes).substr(frame.offset - begin, frame.stored));
      if (raw.ok()) continue;
      ++findings_.damaged_frames;
      note("a damaged frame at " + std::to_string(frame.offset) + " (" + raw.error().message + ")");
    }
    return {};
  }

  Store& store_;
  const catalog::Digest& pack_;
  const std::string path_;
  const PackIndex& index_;
  const std::function<void(std::uint64_t)>& read_;
  const std::stop_token& stop_;
  catalog::Sha256 hash_;
  PackFindings findings_;
};

}  // namespace

Result<PackIndex> read_pack_index(Store& store, const catalog::Digest& pack) {
  const std::string path = catalog::pack_path(pack);
  LAZYVOL_TRY_ASSIGN(const auto object, store.stat(path));
  if (!object) return Error{Code::not_found, path + " is missing"};
  PackIndex index;
  index.bytes = object->size;
  if (index.bytes < catalog::kPackHeaderBytes + catalog::kPackTrailerBytes) {
    return Error{Code::corrupt, path + " is too short to be a pack"};
  }
  LAZYVOL_TRY_ASSIGN(const std::string end,
                     read_exactly(store, path, index.bytes - catalog::kPackTrailerBytes,
                                  catalog::kPackTrailerBytes));
  auto trailer = catalog::parse_pack_trailer(end, index.bytes);
  if (!trailer.ok()) return trailer.error().in(path);
  index.trailer = *trailer;
  LAZYVOL_TRY_ASSIGN(const std::string rows,
                     read_exactly(store, path, trailer->index_offset, trailer->index_bytes));
  auto frames = catalog::parse_pack_index(pack, *trailer, rows);
  if (!frames.ok()) return frames.error().in(path);
  index.frames = *std::move(frames);
  return index;
}

Result<PackFindings> check_pack(Store& store, const catalog::Digest& pack,
                                const std::function<void(std::uint64_t)>& read,
                                const std::stop_token& stop) {
  LAZYVOL_TRY_ASSIGN(const PackIndex index, read_pack_index(store, pack));
  return PackReader(store, pack, index, read, stop).run();
}

Result<PackIndexes::Index> PackIndexes::index_of(const catalog::Digest& pack) {
  {
    const auto state = state_.lock();
    if (const auto found = state->found.find(pack); found != state->found.end()) {
      state->order.splice(state->order.begin(), state->order, found->second);
      return found->second->second;
    }
  }
  // Two threads may read one index at once: seldom, and without harm.
  LAZYVOL_TRY_ASSIGN(PackIndex read, read_pack_index(store_, pack));
  auto index = std::make_shared<const std::vector<catalog::FrameRef>>(std::move(read.frames));
  const auto state = state_.lock();
  if (state->found.contains(pack)) return index;
  state->order.emplace_front(pack, index);
  state->found.emplace(pack, state->order.begin());
  state->frames += index->size();
  while (state->frames > kMaxKeptFrames && state->order.size() > 1) {
    state->frames -= state->order.back().second->size();
    state->found.erase(state->order.back().first);
    state->order.pop_back();
  }
  return index;
}

Status PackIndexes::check(const catalog::FrameRef& frame) {
  LAZYVOL_TRY_ASSIGN(const Index index, index_of(frame.pack));
  const auto at = std::lower_bound(
      index->begin(), index->end(), frame.offset,
      [](const catalog::FrameRef& one, std::uint32_t offset) { return one.offset < offset; });
  if (at == index->end() || *at != frame) {
    return Error{Code::corrupt, catalog::pack_path(frame.pack) + " has no such frame at " +
                                    std::to_string(frame.offset)};
  }
  return {};
}

}  // namespace lazyvol::publish
