#include "publish/learner.h"

#include <utility>

#include "base/log.h"
#include "publish/map_reader.h"

namespace lazyvol::publish {
namespace {

// Chunks that are held back, to be recorded pack by pack.
constexpr std::size_t kHeldChunks = 20'000;

bool means_lost(const Error& error) {
  return error.code == Code::not_found || error.code == Code::corrupt;
}

}  // namespace

Result<FileRow> Learner::learn(const catalog::Entry& entry) {
  LAZYVOL_TRY(progress_.check());
  progress_.tick();
  FileRow row;
  row.id = entry.id;
  row.type = entry.type;
  if (entry.type == NodeType::directory) return row;
  if (entry.type == NodeType::symlink) {
    row.contents = target_fingerprint(entry.symlink_target);
    return row;
  }
  auto found = fingerprint(entry);
  if (found.ok()) {
    row.contents = *found;
  } else if (means_lost(found.error())) {
    base::log_warn("the volume has lost bytes of {}, which are stored again: {}", entry.name,
                   found.error().message);
  } else {
    return std::move(found).error();
  }
  return row;
}

Result<Fingerprint> Learner::fingerprint(const catalog::Entry& entry) {
  ContentFingerprint hash;
  if (const auto* bytes = std::get_if<catalog::InlineContent>(&entry.content)) {
    hash.chunk(catalog::sha256(bytes->bytes), bytes->bytes.size());
  } else if (const auto* list = std::get_if<catalog::PieceContent>(&entry.content)) {
    for (const catalog::Piece& one : list->pieces) {
      LAZYVOL_TRY(piece(one.frame, one.offset, one.length, hash));
    }
  } else if (const auto* map = std::get_if<catalog::MapContent>(&entry.content)) {
    const auto visit = [&](const catalog::Extent& extent) -> Status {
      if (extent.kind == catalog::Extent::Kind::piece) {
        return piece(extent.frame, extent.offset, extent.length, hash);
      }
      hash.hole(extent.length);
      return {};
    };
    LAZYVOL_TRY(for_each_extent(frames_, map->map, visit, [](const catalog::FrameRef&) {}));
  }
  return hash.finish();
}

Status Learner::piece(const catalog::FrameRef& frame, std::uint64_t offset, std::uint64_t length,
                      ContentFingerprint& hash) {
  Learned& learned =
      learned_[frame.pack].try_emplace(frame.offset, Learned{frame, {}}).first->second;
  const auto known = learned.chunks.find(static_cast<std::uint32_t>(offset));
  if (known != learned.chunks.end() && known->second.length == length) {
    hash.chunk(known->second.chunk, length);
    return {};
  }
  LAZYVOL_TRY(progress_.check());
  LAZYVOL_TRY_ASSIGN(const auto raw, frames_.read(frame));
  if (offset > raw->size() || length > raw->size() - offset) {
    return Error{Code::corrupt, "a piece that its frame does not have"};
  }
  const ChunkInFrame chunk{catalog::sha256(std::string_view(*raw).substr(offset, length)),
                           static_cast<std::uint32_t>(offset), static_cast<std::uint32_t>(length)};
  hash.chunk(chunk.chunk, length);
  learned.chunks[chunk.offset] = chunk;
  return ++count_ >= kHeldChunks ? finish() : Status();
}

Status Learner::finish() {
  for (const auto& [name, frames] : std::exchange(learned_, {})) {
    StoredPack pack{name, 0, {}};
    std::vector<std::vector<ChunkInFrame>> chunks;
    for (const auto& [offset, learned] : frames) {
      pack.frames.push_back(learned.frame);
      chunks.emplace_back();
      for (const auto& [at, chunk] : learned.chunks) chunks.back().push_back(chunk);
    }
    LAZYVOL_TRY(state_.record(pack, chunks, 0));
  }
  count_ = 0;
  return {};
}

}  // namespace lazyvol::publish
