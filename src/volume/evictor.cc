#include "volume/evictor.h"

#include <utility>

#include "model/content.h"

namespace lazyvol::volume {

void Evictor::run(std::shared_ptr<Core> core, std::string source_path, Done done) {
  auto self = std::shared_ptr<Evictor>(new Evictor(std::move(core), std::move(done)));
  self->token_ = self->core_->activity->enter();
  const bool accepted =
      self->token_ && self->core_->on_worker([self, source_path] { self->begin(source_path); });
  if (!accepted) self->done_(Error{Code::cancelled, "the volume is stopping"});
}

void Evictor::begin(const std::string& source_path) {
  const auto at = core_->tree.locate(source_path);
  if (!at.ok()) return done_(at.error());
  if (!at->entry) {
    directories_.push_back(kRootNode);
  } else if (at->entry->remote.type == NodeType::directory) {
    directories_.push_back(at->entry->id);
  } else {
    drop(at->parent, *at->entry);
  }
  advance();
}

void Evictor::drop(NodeId parent, const cache::StoredEntry& entry) {
  if (entry.remote.type != NodeType::file || !is_exact(entry)) return;
  const auto path = core_->tree.path_of(parent, entry.remote.name);
  if (!path.ok()) return;
  const auto key = model::live_content_key(core_->content_source, *path, entry.remote.validator);
  freed_ += core_->env.fetch.cache->content(key, *entry.remote.size)->evict();
}

void Evictor::advance() {
  if (core_->activity->stop_token().stop_requested()) {
    return done_(Error{Code::cancelled, "the volume is stopping"});
  }
  if (directories_.empty()) return done_(freed_);
  const NodeId directory = directories_.back();
  directories_.pop_back();
  const auto entries = core_->tree.entries(directory);
  if (entries.ok()) {
    for (const auto& entry : *entries) {
      if (entry.remote.type == NodeType::directory) directories_.push_back(entry.id);
      drop(directory, entry);
    }
  }
  const bool accepted = core_->on_worker([self = shared_from_this()] { self->advance(); });
  if (!accepted) done_(Error{Code::cancelled, "the volume is stopping"});
}

}  // namespace lazyvol::volume
