// Reading a volume whole objects at a time, for its publisher and for tools: heads, pages, maps.
//
// Thread rule: thread-safe; calls block.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/locked.h"
#include "catalog/head.h"
#include "catalog/page_store.h"
#include "lazyvol/error.h"
#include "publish/store.h"

namespace lazyvol::publish {

using catalog::kHeadPath;
using catalog::revision_path;
/// Errors: invalid_argument for what cannot be the name of a tag (1 … 128 of A-Z a-z 0-9 . _ -, not
/// beginning with a dot, not a number: that means a revision).
Result<std::string> tag_path(const std::string& name);

/// Where a revision's head is, by what a user says: nothing for the present one, a number, or the
/// name of a tag.
Result<std::string> head_path(const std::string& revision);

struct StoredHead {
  std::string text;  ///< the document as it is stored
  catalog::HeadDocument document;
};
/// nullopt: there is none. Errors: those of Store::read and of catalog::parse_head.
Result<std::optional<StoredHead>> read_head(Store& store, const std::string& path);

/// A frame, verified and decompressed. Errors: not_found for a pack that is not there, corrupt.
Result<std::string> read_frame(Store& store, const catalog::FrameRef& frame);

/// Pages of a volume in a store, the last few kept in memory.
class StorePages final : public catalog::PageReader {
 public:
  /// `store` must outlive it.
  explicit StorePages(Store& store, std::size_t kept = 256);
  ~StorePages() override;
  Result<std::shared_ptr<const std::string>> read(const catalog::FrameRef& ref) override;

 private:
  struct Kept;
  Store& store_;
  const std::size_t limit_;
  std::unique_ptr<Kept> kept_;
};

}  // namespace lazyvol::publish
