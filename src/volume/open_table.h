// Which versions of files are in use, whatever their names show by now.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>

#include "base/locked.h"
#include "lazyvol/entry.h"

namespace lazyvol::volume {

/// By node id, which names one version. Thread-safe.
template <class Version>
class OpenTable : public std::enable_shared_from_this<OpenTable<Version>> {
 public:
  /// While it lives, find() knows the version.
  class Use {
   public:
    Use(std::shared_ptr<OpenTable> table, NodeId id) : table_(std::move(table)), id_(id) {}
    ~Use() { table_->release(id_); }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

   private:
    std::shared_ptr<OpenTable> table_;
    NodeId id_;
  };

  std::unique_ptr<Use> add(NodeId id, Version version) {
    auto table = table_.lock();
    Row& row = (*table)[id];
    row.version = std::move(version);
    ++row.uses;
    return std::make_unique<Use>(this->shared_from_this(), id);
  }
  std::optional<Version> find(NodeId id) const {
    auto table = table_.lock();
    const auto it = table->find(id);
    if (it == table->end()) return std::nullopt;
    return it->second.version;
  }
  std::size_t count() const { return table_.lock()->size(); }

 private:
  struct Row {
    Version version;
    std::uint64_t uses = 0;
  };
  void release(NodeId id) {
    auto table = table_.lock();
    const auto it = table->find(id);
    if (it != table->end() && --it->second.uses == 0) table->erase(it);
  }

  base::Locked<std::unordered_map<NodeId, Row>> table_;
};

}  // namespace lazyvol::volume
