#include "publish/pack_writer.h"

#include <utility>

namespace lazyvol::publish {

bool PackWriter::is_full() const {
  return builder_ &&
         (builder_->size() >= limits_.pack_target || builder_->frames() >= limits_.pack_frames);
}

Status PackWriter::add(const catalog::EncodedFrame& frame) {
  if (!builder_) {
    LAZYVOL_TRY_ASSIGN(object_, store_.create());
    builder_.emplace(kind_);
    LAZYVOL_TRY(object_->write(builder_->begin()));
  }
  LAZYVOL_TRY_ASSIGN(const std::uint32_t offset, builder_->add(frame));
  LAZYVOL_TRY(object_->write(frame.bytes));
  frames_.push_back(frame.at({}, offset));
  return {};
}

Result<StoredPack> PackWriter::close() {
  LAZYVOL_TRY(object_->write(builder_->finish()));
  StoredPack pack{builder_->name(), builder_->size(), std::exchange(frames_, {})};
  LAZYVOL_TRY(object_->commit(catalog::pack_path(pack.name)));
  for (catalog::FrameRef& frame : pack.frames) frame.pack = pack.name;
  object_.reset();
  builder_.reset();
  return pack;
}

}  // namespace lazyvol::publish
