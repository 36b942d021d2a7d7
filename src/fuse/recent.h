// Open files or directories of a mount whose kernel does not say when one is opened or closed.
#pragma once

#include <chrono>
#include <cstddef>
#include <list>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/locked.h"
#include "lazyvol/entry.h"

namespace lazyvol::fuse {

/// The most recently used T of each node: at most `kMost`, and none that rested for `kRest` when
/// another is added. Thread-safe; no T is destroyed with the lock held.
template <class T>
class Recent {
 public:
  static constexpr std::size_t kMost = 1'024;
  static constexpr std::chrono::seconds kRest{30};

  /// nullptr when it is not here.
  std::shared_ptr<T> find(NodeId node) {
    auto rows = rows_.lock();
    const auto at = rows->by_node.find(node);
    if (at == rows->by_node.end()) return nullptr;
    rows->order.splice(rows->order.begin(), rows->order, at->second);
    at->second->used = base::system_clock().now();
    return at->second->object;
  }

  /// Replaces the one of that node.
  void add(NodeId node, std::shared_ptr<T> object) {
    std::vector<std::shared_ptr<T>> dropped;
    const auto now = base::system_clock().now();
    auto rows = rows_.lock();
    const auto drop = [&](typename std::list<Row>::iterator row) {
      dropped.push_back(std::move(row->object));
      rows->by_node.erase(row->node);
      rows->order.erase(row);
    };
    if (const auto old = rows->by_node.find(node); old != rows->by_node.end()) drop(old->second);
    while (!rows->order.empty() &&
           (rows->order.size() >= kMost || rows->order.back().used + kRest < now)) {
      drop(std::prev(rows->order.end()));
    }
    rows->order.push_front({node, std::move(object), now});
    rows->by_node.emplace(node, rows->order.begin());
    rows.unlock();
  }

  void clear() {
    Rows dropped;
    std::swap(dropped, *rows_.lock());
  }

 private:
  struct Row {
    NodeId node;
    std::shared_ptr<T> object;
    base::Monotonic used;
  };
  struct Rows {
    std::list<Row> order;  // the latest first
    std::unordered_map<NodeId, typename std::list<Row>::iterator> by_node;
  };
  base::Locked<Rows> rows_;
};

}  // namespace lazyvol::fuse
