#include "git/local_volume.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <system_error>
#include <unordered_set>

#include "base/log.h"
#include "catalog/catalog_read.h"
#include "catalog/interior_page.h"
#include "git/files.h"

namespace lazyvol::git {
namespace {

namespace fs = std::filesystem;

// Packs are read on this machine, so time counts for more than bytes.
constexpr int kPageLevel = 3;
constexpr std::size_t kPagesKept = 4096;
// Readers of an older revision may still descend through its pages.
constexpr std::uint64_t kRevisionsKept = 4;

using PackSet = std::unordered_set<catalog::Digest, catalog::DigestHash>;

/// Adds the packs that the pages below a page lie in. Leaves are not read.
Status add_packs(catalog::PageReader& reader, const std::string& page, PackSet& packs) {
  base::ByteReader in(page);
  const unsigned level = catalog::read_page_header(in).level;
  if (in.failed()) return catalog::damaged_page("no header");
  if (level == 0) return {};
  LAZYVOL_TRY_ASSIGN(const auto interior, catalog::InteriorPage::open(page));
  for (std::size_t row = 0; row < interior.rows(); ++row) {
    LAZYVOL_TRY_ASSIGN(const catalog::FrameRef frame, interior.frame(row));
    packs.insert(frame.pack);
    if (level == 1) continue;
    LAZYVOL_TRY_ASSIGN(const auto child, reader.read(frame));
    LAZYVOL_TRY(add_packs(reader, *child, packs));
  }
  return {};
}

Result<catalog::SecretKey> key_of(const fs::path& directory) {
  const fs::path path = directory / "key.pem";
  const auto known = read_file(path, 64 * 1024);
  if (known.ok()) {
    auto key = catalog::SecretKey::parse(*known);
    if (!key.ok()) return key.error().in(path.string());
    return key;
  }
  if (known.error().code != Code::not_found) return known.error();
  LAZYVOL_TRY_ASSIGN(auto key, catalog::SecretKey::generate());
  LAZYVOL_TRY(replace_file(path, key.pem(), 0600));
  return key;
}

}  // namespace

LocalVolume::LocalVolume(fs::path directory, catalog::SecretKey key)
    : directory_(std::move(directory)), key_(std::move(key)), signer_(key_.public_key()) {}

LocalVolume::~LocalVolume() = default;

Result<std::unique_ptr<LocalVolume>> LocalVolume::open(fs::path directory) {
  LAZYVOL_TRY(make_private_directory(directory));
  LAZYVOL_TRY(make_private_directory(directory / "packs"));
  LAZYVOL_TRY(make_private_directory(directory / "revisions"));
  LAZYVOL_TRY_ASSIGN(auto key, key_of(directory.parent_path()));
  return std::unique_ptr<LocalVolume>(new LocalVolume(std::move(directory), std::move(key)));
}

std::optional<StoredHead> LocalVolume::head() const {
  const fs::path path = directory_ / catalog::kHeadPath;
  auto text = read_file(path, catalog::kMaxHeadBytes);
  if (!text.ok()) {
    if (text.error().code != Code::not_found) base::log_warn("{}", text.error().message);
    return std::nullopt;
  }
  auto document = catalog::parse_head(*text);
  if (document.ok() && document->signer == signer_) {
    return StoredHead{*std::move(text), *std::move(document)};
  }
  base::log_warn("{}: {}; the commit is compiled anew", path.string(),
                 document.ok() ? "not signed by this mirror" : document.error().message);
  return std::nullopt;
}

Result<std::shared_ptr<const std::string>> LocalVolume::read(const catalog::FrameRef& ref) {
  if (const auto found = pages_.find(ref.hash); found != pages_.end()) return found->second;
  LAZYVOL_TRY(catalog::check_frame_ref(ref));
  const fs::path path = directory_ / catalog::pack_path(ref.pack);
  LAZYVOL_TRY_ASSIGN(const std::string stored, read_file_part(path, ref.offset, ref.stored));
  auto raw = catalog::decode_frame(ref, stored);
  if (!raw.ok()) return raw.error().in(path.string());
  auto page = std::make_shared<const std::string>(*std::move(raw));
  if (pages_.size() >= kPagesKept) pages_.clear();
  pages_.emplace(ref.hash, page);
  places_.emplace(catalog::sha256(*page), ref);
  return page;
}

Status LocalVolume::write(std::string page) {
  const catalog::Digest digest = catalog::sha256(page);
  if (const auto known = places_.find(digest); known != places_.end()) {
    refs_.push_back(known->second);
    return {};
  }
  LAZYVOL_TRY_ASSIGN(const catalog::EncodedFrame frame, catalog::encode_frame(page, kPageLevel));
  if (!pack_) {
    pack_.emplace(catalog::PackKind::metadata);
    pack_bytes_ = pack_->begin();
  }
  LAZYVOL_TRY_ASSIGN(const std::uint32_t offset, pack_->add(frame));
  pack_bytes_ += frame.bytes;
  waiting_.push_back({refs_.size(), digest});
  refs_.push_back(frame.at({}, offset));
  return pack_->is_full() ? close_pack() : Status();
}

Status LocalVolume::close_pack() {
  pack_bytes_ += pack_->finish();
  const catalog::Digest name = pack_->name();
  const fs::path path = directory_ / catalog::pack_path(name);
  LAZYVOL_TRY(make_private_directory(path.parent_path()));
  LAZYVOL_TRY(replace_file(path, pack_bytes_, 0600));
  for (const Waiting& one : waiting_) {
    refs_[one.ref].pack = name;
    places_.emplace(one.page, refs_[one.ref]);
  }
  waiting_.clear();
  pack_bytes_.clear();
  pack_.reset();
  return {};
}

Result<std::vector<catalog::FrameRef>> LocalVolume::seal() {
  if (pack_) LAZYVOL_TRY(close_pack());
  return std::exchange(refs_, {});
}

Result<StoredHead> LocalVolume::commit(const catalog::Head& head) {
  LAZYVOL_TRY_ASSIGN(std::string text, catalog::encode_head(head, &key_));
  LAZYVOL_TRY_ASSIGN(auto document, catalog::parse_head(text));
  LAZYVOL_TRY(replace_file(directory_ / catalog::revision_path(head.sequence), text, 0600));
  LAZYVOL_TRY(replace_file(directory_ / catalog::kHeadPath, text, 0600));
  remove_old(head.sequence);
  // Of the pages only those that the next commit will read again are worth their memory, and which
  // these are it finds out itself.
  places_.clear();
  pages_.clear();
  return StoredHead{std::move(text), std::move(document)};
}

void LocalVolume::remove_old(std::uint64_t sequence) {
  PackSet needed;
  std::error_code failure;
  for (const auto& file : fs::directory_iterator(directory_ / "revisions", failure)) {
    const std::string name = file.path().filename().string();
    std::uint64_t number = 0;
    std::from_chars(name.data(), name.data() + name.size(), number);
    if (number + kRevisionsKept <= sequence || number > sequence) {
      fs::remove(file.path(), failure);
      continue;
    }
    const auto text = read_file(file.path(), catalog::kMaxHeadBytes);
    const auto document =
        text.ok() ? catalog::parse_head(*text) : Result<catalog::HeadDocument>(text.error());
    Status status = document.ok() ? Status() : Status(document.error());
    if (status.ok()) status = add_packs(*this, document->head.roots.names, needed);
    if (status.ok()) status = add_packs(*this, document->head.roots.ids, needed);
    if (status.ok()) continue;
    // An old revision that is damaged must not keep all packs for ever; the present one must.
    if (number == sequence) return;
    fs::remove(file.path(), failure);
  }
  std::vector<fs::path> unneeded;
  for (const auto& file : fs::recursive_directory_iterator(directory_ / "packs", failure)) {
    if (!file.is_regular_file(failure)) continue;
    const std::string name = file.path().filename().string();
    const bool live = std::any_of(needed.begin(), needed.end(),
                                  [&](const catalog::Digest& pack) { return pack.hex() == name; });
    if (!live) unneeded.push_back(file.path());
  }
  for (const fs::path& path : unneeded) fs::remove(path, failure);
}

Status LocalVolume::clear() {
  places_.clear();
  pages_.clear();
  std::error_code failure;
  fs::remove(directory_ / catalog::kHeadPath, failure);
  for (const char* name : {"revisions", "packs"}) {
    fs::remove_all(directory_ / name, failure);
    LAZYVOL_TRY(make_private_directory(directory_ / name));
  }
  return {};
}

}  // namespace lazyvol::git
