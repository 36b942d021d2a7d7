#include "catalog/interior_page.h"

#include <algorithm>

#include "catalog/key.h"

namespace lazyvol::catalog {
namespace {

// Puts the next suffix onto what it shares with the key before it. False at damage.
bool advance(std::string& key, std::uint64_t shared, std::optional<std::string_view> suffix) {
  if (!suffix || shared > key.size() || shared + suffix->size() > kMaxKey) return false;
  key.resize(shared);
  key.append(*suffix);
  return true;
}

}  // namespace

Result<InteriorPage> InteriorPage::open(std::string_view page) {
  base::ByteReader in(page);
  InteriorPage result;
  result.header_ = read_page_header(in);
  result.shared_ = Column(in, result.header_.rows);
  result.suffixes_ = Texts(in, result.header_.rows);
  result.frames_ = FrameTable(in);
  if (in.failed() || !in.at_end() || result.header_.level == 0 || result.rows() == 0 ||
      result.frames_.size() != result.rows()) {
    return damaged_page("interior");
  }
  return result;
}

Result<std::string> InteriorPage::key(std::size_t index) const {
  const std::size_t restart = index / kRestart * kRestart;
  Texts::Cursor suffixes(suffixes_, restart);
  std::string key;
  for (std::size_t i = restart; i <= index; ++i) {
    if (!advance(key, shared_.number(i), suffixes.next())) return damaged_page("key");
  }
  return key;
}

Result<std::size_t> InteriorPage::find(std::string_view key) const {
  // The last restart whose key is smaller than `key`; what is sought comes after it.
  std::size_t low = 0, high = restarts(rows());
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    const auto first = suffixes_.at(middle * kRestart);
    if (!first) return damaged_page("key");
    if (*first < key) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == 0) return std::size_t{0};
  const std::size_t begin = (low - 1) * kRestart, end = std::min(low * kRestart, rows());
  Texts::Cursor suffixes(suffixes_, begin);
  std::string current;
  for (std::size_t i = begin; i < end; ++i) {
    if (!advance(current, shared_.number(i), suffixes.next())) return damaged_page("key");
    if (current >= key) return i;
  }
  return end;
}

Result<Child> InteriorPage::child(std::size_t index) const {
  if (index >= rows()) return damaged_page("child");
  Child child;
  LAZYVOL_TRY_ASSIGN(child.last_key, key(index));
  LAZYVOL_TRY_ASSIGN(child.frame, frames_.at(index));
  return child;
}

Result<std::vector<Child>> InteriorPage::children() const {
  std::vector<Child> result;
  Texts::Cursor suffixes(suffixes_, 0);
  std::string key;
  for (std::size_t i = 0; i < rows(); ++i) {
    const std::uint64_t shared = shared_.number(i);
    if ((i % kRestart == 0 && shared != 0) || !advance(key, shared, suffixes.next())) {
      return damaged_page("key");
    }
    if (i > 0 && key <= result.back().last_key) return damaged_page("order");
    LAZYVOL_TRY_ASSIGN(const FrameRef frame, frames_.at(i));
    result.push_back({key, frame});
  }
  return result;
}

std::string encode_interior_page(Tree tree, unsigned level, std::span<const Child> children) {
  base::ByteWriter out;
  write_page_header(out, {tree, level, children.size()});
  std::vector<std::int64_t> shared;
  TextsWriter suffixes;
  FrameTableWriter frames;
  std::string_view before;
  for (const Child& child : children) {
    const std::string_view key = child.last_key;
    if (shared.size() % kRestart == 0) before = {};
    const auto same = static_cast<std::size_t>(
        std::mismatch(key.begin(), key.end(), before.begin(), before.end()).first - key.begin());
    shared.push_back(static_cast<std::int64_t>(same));
    suffixes.add(key.substr(same));
    frames.append(child.frame);
    before = key;
  }
  write_column(out, shared);
  suffixes.write(out);
  frames.write(out);
  return out.take();
}

}  // namespace lazyvol::catalog
