#include "cache/object_format.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "cache/block_cache_bytes.h"

namespace lazyvol::cache {
namespace {

constexpr std::uint64_t kRowVersion = 1;

}  // namespace

void MetaRow::count(std::int64_t bytes, std::int64_t of_protected) {
  const auto add = [](std::uint64_t& sum, std::int64_t change) {
    const std::uint64_t less = change < 0 ? static_cast<std::uint64_t>(-change) : 0;
    sum = change >= 0 ? sum + static_cast<std::uint64_t>(change) : sum - std::min(sum, less);
  };
  add(object_bytes, bytes);
  add(protected_bytes, of_protected);
}

const std::string_view kMetaKey("\0lazyvol-blocks", 15);

std::string encode_object_row(const ObjectRow& row) {
  std::string out;
  put_little(out, kRowVersion, 1);
  put_little(out, row.id, 8);
  put_little(out, row.size, 8);
  return out;
}

std::optional<ObjectRow> decode_object_row(std::string_view value) {
  ByteReader reader(value);
  const std::uint64_t version = reader.little(1);
  const ObjectRow row{.id = reader.little(8), .size = reader.little(8)};
  if (!reader.done() || version != kRowVersion || row.id == 0) return std::nullopt;
  return row;
}

std::string encode_group_row(const GroupRow& row) {
  std::string out;
  put_little(out, kRowVersion, 1);
  put_little(out, row.is_protected ? 1 : 0, 1);
  out.append(row.content.view());
  put_little(out, row.last_use_ms, 8);
  put_little(out, row.present, 8);
  for (std::uint64_t rest = row.present; rest != 0; rest &= rest - 1) {
    put_little(out, row.sums[static_cast<std::size_t>(std::countr_zero(rest))], 8);
  }
  return out;
}

std::optional<GroupRow> decode_group_row(std::string_view value) {
  ByteReader reader(value);
  const std::uint64_t version = reader.little(1);
  GroupRow row;
  row.is_protected = (reader.little(1) & 1) != 0;
  const std::string_view key = reader.bytes(row.content.bytes.size());
  row.last_use_ms = reader.little(8);
  row.present = reader.little(8);
  for (std::uint64_t rest = row.present; rest != 0; rest &= rest - 1) {
    row.sums[static_cast<std::size_t>(std::countr_zero(rest))] = reader.little(8);
  }
  if (!reader.done() || version != kRowVersion) return std::nullopt;
  std::memcpy(row.content.bytes.data(), key.data(), key.size());
  return row;
}

std::string group_prefix(std::uint64_t object) {
  std::string out;
  put_big(out, object, 8);
  return out;
}

std::string group_key(std::uint64_t object, std::uint32_t group) {
  std::string out = group_prefix(object);
  put_big(out, group, 4);
  return out;
}

std::optional<GroupName> decode_group_key(std::string_view key) {
  ByteReader reader(key);
  const GroupName name{.object = reader.big(8), .group = static_cast<std::uint32_t>(reader.big(4))};
  if (!reader.done()) return std::nullopt;
  return name;
}

std::string encode_meta_row(const MetaRow& row) {
  std::string out;
  put_little(out, kRowVersion, 1);
  put_little(out, row.clean ? 1 : 0, 1);
  for (const auto number :
       {row.next_object, row.next_slab, row.object_bytes, row.protected_bytes, row.objects}) {
    put_little(out, number, 8);
  }
  return out;
}

std::optional<MetaRow> decode_meta_row(std::string_view value) {
  ByteReader reader(value);
  const std::uint64_t version = reader.little(1);
  MetaRow row;
  row.clean = reader.little(1) == 1;
  for (auto* number :
       {&row.next_object, &row.next_slab, &row.object_bytes, &row.protected_bytes, &row.objects}) {
    *number = reader.little(8);
  }
  if (!reader.done() || version != kRowVersion) return std::nullopt;
  return row;
}

}  // namespace lazyvol::cache
