#include "catalog/level_output.h"

#include "catalog/level_writer.h"

namespace lazyvol::catalog {

Status LevelOutput::put(std::string last_key, std::string page) {
  children_.push_back({std::move(last_key), {}});
  if (hold_ && children_.size() == 1) {
    held_ = std::move(page);
    return {};
  }
  if (held_) {
    LAZYVOL_TRY(writer_->write(*std::move(held_)));
    held_.reset();
  }
  return writer_->write(std::move(page));
}

Result<LevelOutput::Level> LevelOutput::close() {
  if (held_) return Level{std::move(held_), {}};
  if (children_.empty()) return Level{};
  LAZYVOL_TRY_ASSIGN(const std::vector<FrameRef> frames, writer_->seal());
  if (frames.size() != children_.size()) {
    return Error{Code::invalid_argument, "a page writer that lost count"};
  }
  for (std::size_t i = 0; i < frames.size(); ++i) children_[i].frame = frames[i];
  return Level{std::nullopt, std::move(children_)};
}

Result<std::string> build_upwards(PageWriter& writer, Tree tree, unsigned level,
                                  const Chunking& chunking, LevelOutput::Level below) {
  const auto ignore = [](const auto&) {};
  while (!below.root) {
    if (++level > kMaxLevel) return Error{Code::too_large, "a tree of too many levels"};
    LevelOutput output(writer, true);
    LevelWriter<InteriorCodec> pages(InteriorCodec(tree, level), Splitter(tree, level, chunking),
                                     output);
    for (Child& child : below.children) LAZYVOL_TRY(pages.add(std::move(child), ignore));
    LAZYVOL_TRY(pages.finish(ignore));
    LAZYVOL_TRY_ASSIGN(below, output.close());
  }
  return *std::move(below.root);
}

}  // namespace lazyvol::catalog
