// What all pages of a catalog begin with, and their limits. docs/format.md, "Pages".
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "lazyvol/error.h"

namespace lazyvol::catalog {

/// The two trees: names is (directory, name) → entry, ids is id → leaf of names.
enum class Tree : std::uint8_t { names = 1, ids = 2 };

/// A page of more bytes than this is refused.
inline constexpr std::size_t kMaxPageBytes = 512 * 1024;
inline constexpr std::size_t kMaxPageRows = 16'384;
/// Levels count from 0, the leaves.
inline constexpr unsigned kMaxLevel = 15;

struct PageHeader {
  Tree tree = Tree::names;
  unsigned level = 0;
  std::size_t rows = 0;
};

/// Takes the header off `in`, which has failed() when it is none.
inline PageHeader read_page_header(base::ByteReader& in) {
  if (in.left() > kMaxPageBytes) in.fail();
  const std::uint8_t tree = in.byte(), level = in.byte();
  const std::uint64_t rows = in.number();
  if (tree < 1 || tree > 2 || level > kMaxLevel || rows > kMaxPageRows) in.fail();
  if (in.failed()) return {};
  return {static_cast<Tree>(tree), level, static_cast<std::size_t>(rows)};
}

inline void write_page_header(base::ByteWriter& out, const PageHeader& header) {
  out.byte(static_cast<std::uint8_t>(header.tree));
  out.byte(static_cast<std::uint8_t>(header.level));
  out.number(header.rows);
}

inline Error damaged_page(std::string_view what) {
  return {Code::corrupt, "catalog: a damaged page (" + std::string(what) + ")"};
}

}  // namespace lazyvol::catalog
