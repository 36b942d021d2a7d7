#include "publish/state.h"

#include <fcntl.h>
#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <rocksdb/write_batch.h>
#include <sys/statvfs.h>
#include <xxhash.h>

#include <algorithm>
#include <string>
#include <system_error>
#include <unordered_map>
#include <utility>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/locked.h"
#include "base/log.h"
#include "publish/dir_files.h"
#include "publish/state_families.h"

namespace lazyvol::publish {
namespace {

constexpr std::string_view kFormatKey = "format", kFormat = "lazyvol publisher state 1";
constexpr std::string_view kSyncedKey = "synced";
// RocksDB as Debian builds it ends the process when the disk is full, so it is not let come to
// that.
constexpr std::uint64_t kLeastFree = 64U << 20;

std::string key_of(std::uint64_t number, unsigned width) {
  std::string key(width, '\0');
  for (unsigned i = 0; i < width; ++i) {
    key[width - 1 - i] = static_cast<char>(number >> (8 * i));
  }
  return key;
}
std::uint64_t number_of(std::string_view key) {
  std::uint64_t number = 0;
  for (const char byte : key) number = (number << 8) | static_cast<unsigned char>(byte);
  return number;
}
rocksdb::Slice slice(std::string_view bytes) {
  return {bytes.data(), bytes.size()};
}
std::string_view view(const rocksdb::Slice& bytes) {
  return {bytes.data(), bytes.size()};
}
std::string_view view(const Fingerprint& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
Fingerprint fingerprint_from(std::string_view bytes) {
  Fingerprint result{};
  std::copy_n(bytes.begin(), std::min(bytes.size(), result.size()), result.begin());
  return result;
}

Error failed(const rocksdb::Status& status) {
  const std::string message = "publisher's state: " + status.ToString();
  return {status.IsNoSpace()      ? Code::no_space
          : status.IsCorruption() ? Code::corrupt
                                  : Code::io_error,
          message};
}

std::string encode_row(const FileRow& row) {
  base::ByteWriter out;
  out.byte(static_cast<std::uint8_t>(row.type));
  out.number(row.inode.dev);
  out.number(row.inode.ino);
  out.raw(view(row.stamp));
  out.raw(view(row.contents));
  return out.take();
}

std::optional<FileRow> decode_row(std::string_view key, std::string_view value) {
  base::ByteReader in(value);
  FileRow row;
  row.id = number_of(key);
  const std::uint8_t type = in.byte();
  row.inode.dev = in.number();
  row.inode.ino = in.number();
  row.stamp = fingerprint_from(in.raw(row.stamp.size()));
  row.contents = fingerprint_from(in.raw(row.contents.size()));
  if (in.failed() || !in.at_end() || type < 1 || type > 3) return std::nullopt;
  row.type = static_cast<NodeType>(type);
  return row;
}

struct Packs {
  struct Known {
    catalog::Digest name;
    std::int64_t recorded_ns = 0;
    bool trusted = false;
  };
  std::vector<Known> by_number;
  std::unordered_map<catalog::Digest, std::uint32_t, catalog::DigestHash> numbers;

  std::uint32_t number(const catalog::Digest& name) {
    const auto [found, is_new] =
        numbers.emplace(name, static_cast<std::uint32_t>(by_number.size()));
    if (is_new) by_number.push_back({name, 0, false});
    return found->second;
  }
};

}  // namespace

struct State::Impl {
  std::filesystem::path dir;
  Fd lock{-1};
  std::unique_ptr<rocksdb::DB> db;
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  base::Locked<Packs> packs;

  ~Impl() {
    if (db == nullptr) return;
    for (auto* handle : handles) db->DestroyColumnFamilyHandle(handle).PermitUncheckedError();
    db->Close().PermitUncheckedError();
  }
  rocksdb::ColumnFamilyHandle* family(StateSpace space) const {
    return handles[static_cast<std::size_t>(space)];
  }
  std::string path() const { return (dir / "db").string(); }

  rocksdb::Status open_database() {
    rocksdb::DB* opened = nullptr;
    const auto status =
        rocksdb::DB::Open(state_options(), path(), state_descriptors(), &handles, &opened);
    db.reset(opened);
    return status;
  }
  void close_database() {
    for (auto* handle : handles) db->DestroyColumnFamilyHandle(handle).PermitUncheckedError();
    handles.clear();
    db.reset();
  }
  // Nothing: the key is not there, or cannot be read.
  std::optional<std::string> get(StateSpace space, std::string_view key) const {
    std::string value;
    const auto status = db->Get(rocksdb::ReadOptions(), family(space), slice(key), &value);
    if (!status.ok() && !status.IsNotFound()) base::log_warn("{}", failed(status).message);
    return status.ok() ? std::optional(std::move(value)) : std::nullopt;
  }
  Status check_room() const {
    struct statvfs disk {};
    if (::statvfs(dir.c_str(), &disk) == 0 &&
        std::uint64_t{disk.f_bavail} * disk.f_frsize < kLeastFree) {
      return Error{Code::no_space, "the publisher's state directory " + dir.string() +
                                       ": less than 64 MiB are free there"};
    }
    return {};
  }
  Status write(rocksdb::WriteBatch& batch) const {
    LAZYVOL_TRY(check_room());
    const auto status = db->Write(rocksdb::WriteOptions(), &batch);
    if (!status.ok()) return failed(status);
    return {};
  }
  void put(rocksdb::WriteBatch& batch, StateSpace space, std::string_view key,
           std::string_view value) const {
    batch.Put(family(space), slice(key), slice(value)).PermitUncheckedError();
  }

  bool load_packs() {
    const auto known = packs.lock();
    const std::unique_ptr<rocksdb::Iterator> at(
        db->NewIterator(rocksdb::ReadOptions(), family(StateSpace::packs)));
    for (at->SeekToFirst(); at->Valid(); at->Next()) {
      base::ByteReader in(view(at->value()));
      const auto name = catalog::Digest::from(in.raw(32));
      const std::int64_t recorded = in.signed_number();
      if (in.failed() || number_of(view(at->key())) != known->by_number.size()) return false;
      known->by_number[known->number(name)].recorded_ns = recorded;
    }
    return at->status().ok();
  }
  Status start() {
    rocksdb::WriteBatch batch;
    put(batch, StateSpace::meta, kFormatKey, kFormat);
    return write(batch);
  }
};

Fingerprint stamp_fingerprint(const Stamp& stamp) {
  base::ByteWriter out;
  for (const std::uint64_t number : {stamp.inode.dev, stamp.inode.ino, stamp.size}) {
    out.little(number, 8);
  }
  out.little(static_cast<std::uint64_t>(stamp.mtime_ns), 8);
  out.little(static_cast<std::uint64_t>(stamp.ctime_ns), 8);
  XXH128_canonical_t bytes;
  XXH128_canonicalFromHash(&bytes, XXH3_128bits(out.view().data(), out.size()));
  return std::bit_cast<Fingerprint>(bytes);
}

State::State(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
State::~State() = default;

Result<std::unique_ptr<State>> State::open(const std::filesystem::path& dir) {
  auto impl = std::make_unique<Impl>();
  std::error_code failure;
  impl->dir = std::filesystem::absolute(dir, failure);
  LAZYVOL_TRY(make_directories(impl->dir.string()));
  const std::string lock = (impl->dir / "lock").string();
  impl->lock = Fd(::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (impl->lock.get() < 0) return errno_error(errno, "open " + lock);
  if (try_lock(impl->lock) != Locking::locked) {
    return Error{Code::busy, "another publisher uses " + impl->dir.string()};
  }
  LAZYVOL_TRY(impl->check_room());  // also opening writes
  auto status = impl->open_database();
  const bool sound =
      status.ok() &&
      impl->get(StateSpace::meta, kFormatKey).value_or(std::string(kFormat)) == kFormat &&
      impl->load_packs();
  if (!sound) {
    base::log_warn(
        "{}: what the publisher remembers is damaged or of another version ({}); it is "
        "made again from the volume",
        impl->dir.string(), status.ToString());
    impl->close_database();
    *impl->packs.lock() = Packs();
    std::filesystem::remove_all(impl->path(), failure);
    status = impl->open_database();
    if (!status.ok()) return failed(status);
  }
  LAZYVOL_TRY(impl->start());
  return std::unique_ptr<State>(new State(std::move(impl)));
}

void State::trust(const std::unordered_set<catalog::Digest, catalog::DigestHash>& reached,
                  const std::unordered_set<catalog::Digest, catalog::DigestHash>& present) {
  const std::int64_t oldest = base::system_clock().wall_ns() - kTrustUnreachedNs;
  const auto packs = impl_->packs.lock();
  for (auto& pack : packs->by_number) {
    pack.trusted =
        present.contains(pack.name) && (pack.recorded_ns > oldest || reached.contains(pack.name));
  }
}

std::optional<ChunkPlace> State::find(const catalog::Digest& chunk) {
  const auto value = impl_->get(StateSpace::chunks, chunk.view());
  if (!value) return std::nullopt;
  base::ByteReader in(*value);
  ChunkPlace place;
  const std::uint32_t pack = in.number32();
  place.frame.offset = in.number32();
  place.frame.stored = in.number32();
  place.frame.raw = in.number32();
  place.offset = in.number32();
  place.length = in.number32();
  place.frame.hash = catalog::Digest::from(in.raw(32));
  const auto packs = impl_->packs.lock();
  if (in.failed() || pack >= packs->by_number.size() || !packs->by_number[pack].trusted ||
      place.offset > place.frame.raw || place.length > place.frame.raw - place.offset) {
    return std::nullopt;
  }
  place.frame.pack = packs->by_number[pack].name;
  if (!catalog::check_frame_ref(place.frame).ok()) return std::nullopt;
  return place;
}

Status State::record(const StoredPack& pack, std::span<const std::vector<ChunkInFrame>> chunks,
                     std::int64_t written_ns) {
  rocksdb::WriteBatch batch;
  std::uint32_t number = 0;
  {
    const auto packs = impl_->packs.lock();
    number = packs->number(pack.name);
    std::int64_t& recorded_ns = packs->by_number[number].recorded_ns;
    recorded_ns = std::max(recorded_ns, written_ns);
    base::ByteWriter value;
    value.raw(pack.name.view());
    value.signed_number(recorded_ns);
    impl_->put(batch, StateSpace::packs, key_of(number, 4), value.view());
  }
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    const catalog::FrameRef& frame = pack.frames[i];
    for (const ChunkInFrame& chunk : chunks[i]) {
      base::ByteWriter value;
      for (const std::uint32_t field :
           {number, frame.offset, frame.stored, frame.raw, chunk.offset, chunk.length}) {
        value.number(field);
      }
      value.raw(frame.hash.view());
      impl_->put(batch, StateSpace::chunks, chunk.chunk.view(), value.view());
    }
  }
  LAZYVOL_TRY(impl_->write(batch));
  if (written_ns != 0) impl_->packs.lock()->by_number[number].trusted = true;
  return {};
}

std::optional<std::vector<catalog::Digest>> State::packs_of_map(const catalog::Digest& map) {
  const auto value = impl_->get(StateSpace::maps, map.view());
  if (!value || value->size() % 32 != 0) return std::nullopt;
  std::vector<catalog::Digest> packs;
  for (std::size_t at = 0; at < value->size(); at += 32) {
    packs.push_back(catalog::Digest::from(std::string_view(*value).substr(at, 32)));
  }
  return packs;
}

Status State::put_packs_of_map(const catalog::Digest& map, std::span<const catalog::Digest> packs) {
  std::string value;
  for (const catalog::Digest& pack : packs) value += pack.view();
  rocksdb::WriteBatch batch;
  impl_->put(batch, StateSpace::maps, map.view(), value);
  return impl_->write(batch);
}

std::optional<Synced> State::synced() {
  const auto value = impl_->get(StateSpace::meta, kSyncedKey);
  if (!value) return std::nullopt;
  base::ByteReader in(*value);
  Synced synced;
  synced.sequence = in.number();
  synced.head = catalog::Digest::from(in.raw(32));
  if (in.failed()) return std::nullopt;
  return synced;
}

Status State::set_synced(const Synced& synced) {
  base::ByteWriter value;
  value.number(synced.sequence);
  value.raw(synced.head.view());
  rocksdb::WriteBatch batch;
  impl_->put(batch, StateSpace::meta, kSyncedKey, value.view());
  return impl_->write(batch);
}

std::vector<FileRow> State::rows() {
  std::vector<FileRow> result;
  const std::unique_ptr<rocksdb::Iterator> at(
      impl_->db->NewIterator(rocksdb::ReadOptions(), impl_->family(StateSpace::files)));
  for (at->SeekToFirst(); at->Valid(); at->Next()) {
    if (const auto row = decode_row(view(at->key()), view(at->value()))) result.push_back(*row);
  }
  if (!at->status().ok()) base::log_warn("{}", failed(at->status()).message);
  return result;
}

Status State::put_rows(std::span<const FileRow> rows) {
  rocksdb::WriteBatch batch;
  for (const FileRow& row : rows) {
    impl_->put(batch, StateSpace::files, key_of(row.id, 8), encode_row(row));
  }
  return impl_->write(batch);
}

Status State::erase_rows(std::span<const NodeId> ids) {
  rocksdb::WriteBatch batch;
  for (const NodeId id : ids) {
    batch.Delete(impl_->family(StateSpace::files), slice(key_of(id, 8))).PermitUncheckedError();
  }
  return impl_->write(batch);
}

Status State::clear_rows() {
  rocksdb::WriteBatch batch;
  batch.Delete(impl_->family(StateSpace::meta), slice(kSyncedKey)).PermitUncheckedError();
  batch
      .DeleteRange(impl_->family(StateSpace::files), slice(key_of(0, 8)),
                   slice(std::string(9, '\xff')))
      .PermitUncheckedError();
  return impl_->write(batch);
}

}  // namespace lazyvol::publish
