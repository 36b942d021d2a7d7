#include "publish/file_rows.h"

#include <algorithm>

namespace lazyvol::publish {
namespace {

bool by_id(const FileRow& a, const FileRow& b) {
  return a.id < b.id;
}

}  // namespace

FileRows::FileRows(std::vector<FileRow> by_rising_id) : rows_(std::move(by_rising_id)) {}

std::optional<std::size_t> FileRows::find(NodeId id) const {
  FileRow sought;
  sought.id = id;
  const auto found = std::lower_bound(rows_.begin(), rows_.end(), sought, by_id);
  if (found == rows_.end() || found->id != id) return std::nullopt;
  return static_cast<std::size_t>(found - rows_.begin());
}

std::vector<std::size_t> FileRows::find(const Inode& inode) {
  if (by_inode_.empty()) {
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      if (rows_[i].inode != Inode{}) {
        by_inode_.emplace_back(rows_[i].inode.ino, static_cast<std::uint32_t>(i));
      }
    }
    std::sort(by_inode_.begin(), by_inode_.end());
  }
  std::vector<std::size_t> result;
  for (auto at = std::lower_bound(by_inode_.begin(), by_inode_.end(),
                                  std::pair<std::uint64_t, std::uint32_t>(inode.ino, 0));
       at != by_inode_.end() && at->first == inode.ino; ++at) {
    if (rows_[at->second].inode == inode) result.push_back(at->second);
  }
  return result;
}

std::vector<NodeId> FileRows::retain(const std::vector<bool>& marks) {
  std::vector<NodeId> dropped;
  std::vector<FileRow> kept;
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    if (marks[i]) {
      kept.push_back(rows_[i]);
    } else {
      dropped.push_back(rows_[i].id);
    }
  }
  if (!dropped.empty()) rows_ = std::move(kept);
  by_inode_.clear();
  return dropped;
}

void FileRows::add(std::vector<FileRow> rows) {
  if (rows.empty()) return;
  std::sort(rows.begin(), rows.end(), by_id);
  const auto middle = static_cast<std::ptrdiff_t>(rows_.size());
  rows_.insert(rows_.end(), rows.begin(), rows.end());
  std::inplace_merge(rows_.begin(), rows_.begin() + middle, rows_.end(), by_id);
  by_inode_.clear();
}

}  // namespace lazyvol::publish
