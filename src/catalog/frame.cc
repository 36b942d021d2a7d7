#include "catalog/frame.h"

#include <zstd.h>

#include <memory>

namespace lazyvol::catalog {
namespace {

struct FreeContext {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

// A context costs more to make than a small frame to decode, so each thread keeps one.
ZSTD_CCtx* compressor() {
  thread_local const std::unique_ptr<ZSTD_CCtx, FreeContext> context(ZSTD_createCCtx());
  return context.get();
}
ZSTD_DCtx* decompressor() {
  thread_local const std::unique_ptr<ZSTD_DCtx, FreeContext> context(ZSTD_createDCtx());
  return context.get();
}

Error damaged(std::string_view what) {
  return {Code::corrupt, "a frame that " + std::string(what)};
}

bool worth_it(std::size_t stored, std::size_t raw) {
  return std::uint64_t{stored} * 100 <= std::uint64_t{raw} * 97;
}

}  // namespace

Status check_frame_ref(const FrameRef& ref) {
  const bool possible = ref.raw > 0 && ref.raw <= kMaxFrameRaw && ref.stored > 0 &&
                        ref.stored <= ref.raw && ref.offset <= UINT32_MAX - ref.stored;
  if (!possible) return Error{Code::corrupt, "a reference to a frame that cannot be"};
  return {};
}

FrameRef EncodedFrame::at(const Digest& pack, std::uint32_t offset) const {
  return {.pack = pack,
          .offset = offset,
          .stored = static_cast<std::uint32_t>(bytes.size()),
          .raw = raw,
          .hash = hash};
}

Result<std::string> compress(std::string_view raw, int level) {
  if (level < 1 || level > 19) {
    return Error{Code::invalid_argument, "zstd has levels from 1 to 19"};
  }
  if (compressor() == nullptr) return Error{Code::out_of_memory, "no memory to compress"};
  std::string out(ZSTD_compressBound(raw.size()), '\0');
  const std::size_t size =
      ZSTD_compressCCtx(compressor(), out.data(), out.size(), raw.data(), raw.size(), level);
  if (ZSTD_isError(size) != 0 || !worth_it(size, raw.size())) return std::string(raw);
  out.resize(size);
  return out;
}

Result<std::string> decompress(std::string_view stored, std::size_t raw) {
  if (stored.size() == raw) return std::string(stored);
  if (stored.size() > raw) return damaged("is longer than what is in it");
  if (decompressor() == nullptr) return Error{Code::out_of_memory, "no memory to decompress"};
  std::string out(raw, '\0');
  const std::size_t size =
      ZSTD_decompressDCtx(decompressor(), out.data(), out.size(), stored.data(), stored.size());
  if (ZSTD_isError(size) != 0 || size != raw) return damaged("does not decompress");
  return out;
}

Result<EncodedFrame> encode_frame(std::string_view raw, int level) {
  if (raw.empty()) return Error{Code::invalid_argument, "a frame of nothing"};
  if (raw.size() > kMaxFrameRaw) return Error{Code::too_large, "a frame of more than 8 MiB"};
  EncodedFrame frame;
  LAZYVOL_TRY_ASSIGN(frame.bytes, compress(raw, level));
  frame.raw = static_cast<std::uint32_t>(raw.size());
  frame.hash = sha256(frame.bytes);
  return frame;
}

bool is_frame(const FrameRef& ref, std::string_view stored) {
  return stored.size() == ref.stored && sha256(stored) == ref.hash;
}

Result<std::string> unpack_frame(const FrameRef& ref, std::string stored) {
  LAZYVOL_TRY(check_frame_ref(ref));
  if (stored.size() == ref.raw) return stored;
  return decompress(stored, ref.raw);
}

Result<std::string> decode_frame(const FrameRef& ref, std::string_view stored) {
  LAZYVOL_TRY(check_frame_ref(ref));
  if (stored.size() != ref.stored) return damaged("has another length");
  if (sha256(stored) != ref.hash) return damaged("has another hash");
  return decompress(stored, ref.raw);
}

}  // namespace lazyvol::catalog
