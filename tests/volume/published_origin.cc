#include "published_origin.h"

#include <cstdio>
#include <cstdlib>
#include <set>

#include "catalog/key.h"
#include "catalog/pack.h"
#include "catalog/page_store.h"
#include "support/temp_dir.h"

namespace lazyvol::testing {
namespace {

constexpr std::size_t kPieceBytes = 200'000;
constexpr std::size_t kBundleBytes = 20'000;

template <class T>
T must(Result<T> result) {
  if (result.ok()) return *std::move(result);
  std::fprintf(stderr, "publishing: %s\n", result.error().message.c_str());
  std::abort();
}
void must(const Status& status) {
  if (!status.ok()) must<int>(Status(status).error());
}

std::string parent_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

}  // namespace

/// Writes frames into packs in a directory.
class PublishedOrigin::Packs final : public catalog::PageWriter {
 public:
  explicit Packs(std::filesystem::path root) : root_(std::move(root)) {}

  /// One pack of these contents, in order.
  std::vector<catalog::FrameRef> store(catalog::PackKind kind, const std::vector<std::string>& all,
                                       std::set<std::filesystem::path>& names) {
    if (all.empty()) return {};
    catalog::PackBuilder builder(kind);
    std::string bytes = builder.begin();
    std::vector<std::pair<catalog::EncodedFrame, std::uint32_t>> frames;
    for (const auto& raw : all) {
      auto frame = must(catalog::encode_frame(raw, 3));
      const auto offset = must(builder.add(frame));
      bytes += frame.bytes;
      frames.emplace_back(std::move(frame), offset);
    }
    bytes += builder.finish();
    const auto path = root_ / catalog::pack_path(builder.name());
    write_file(path, bytes);
    names.insert(path);
    std::vector<catalog::FrameRef> refs;
    for (const auto& [frame, offset] : frames) refs.push_back(frame.at(builder.name(), offset));
    return refs;
  }
  Status write(std::string page) override {
    pages_.push_back(std::move(page));
    return {};
  }
  Result<std::vector<catalog::FrameRef>> seal() override {
    return store(catalog::PackKind::metadata, std::exchange(pages_, {}), page_packs);
  }

  std::set<std::filesystem::path> data_packs, page_packs;

 private:
  const std::filesystem::path root_;
  std::vector<std::string> pages_;
};

PublishedOrigin::PublishedOrigin(std::filesystem::path root, unsigned char key_seed)
    : root_(std::move(root)), key_seed_(key_seed) {
  std::filesystem::create_directories(root_);
  head_.volume.fill(key_seed);
  head_.chunking = {10, 10};
  head_.created_ns = 1'700'000'000'000'000'000;
  paths_[""] = kRootNode;
  nodes_[kRootNode].type = NodeType::directory;
}

std::optional<catalog::SecretKey> PublishedOrigin::key() const {
  if (!key_seed_) return std::nullopt;
  std::array<std::uint8_t, 32> seed{};
  seed.fill(*key_seed_);
  return catalog::SecretKey::from_seed(seed);
}

std::string PublishedOrigin::key_text() const {
  return key()->public_key().text();
}

void PublishedOrigin::put_directory(const std::string& path) {
  if (paths_.contains(path)) return;
  put_directory(parent_of(path));
  const NodeId id = head_.next_id++;
  paths_[path] = id;
  File& node = nodes_[id];
  node.id = id;
  node.type = NodeType::directory;
  node.mode = 0755;
}

void PublishedOrigin::put(const std::string& path, std::string bytes) {
  put_directory(parent_of(path));
  File node;
  if (const auto it = paths_.find(path); it != paths_.end()) node = nodes_.at(it->second);
  if (node.id != 0 && node.type == NodeType::file && node.bytes == bytes) return;
  node.id = head_.next_id++;
  node.type = NodeType::file;
  node.bytes = std::move(bytes);
  paths_[path] = node.id;
  nodes_[node.id] = std::move(node);
}

void PublishedOrigin::put_symlink(const std::string& path, std::string target) {
  remove(path);
  put(path, std::move(target));
  at(path).type = NodeType::symlink;
  at(path).mode = 0777;
}

void PublishedOrigin::link(const std::string& path, const std::string& other) {
  put_directory(parent_of(other));
  paths_[other] = paths_.at(path);
}

void PublishedOrigin::remove(const std::string& path) {
  paths_.erase(path);
  std::erase_if(paths_, [&](const auto& one) { return one.first.starts_with(path + "/"); });
}

void PublishedOrigin::place_bytes(Packs& packs, std::map<NodeId, catalog::Content>& contents) {
  struct Part {
    NodeId id = 0;
    std::size_t frame = 0;
    std::uint32_t offset = 0, length = 0;
  };
  std::vector<std::string> frames;
  std::vector<Part> parts;
  bool bundling = false;
  for (const auto& [path, id] : paths_) {
    const File& node = nodes_.at(id);
    if (node.type != NodeType::file || node.bytes.empty() || contents.contains(id)) continue;
    if (node.bytes.size() <= catalog::kMaxInline && id % 2 == 0) {
      contents[id] = catalog::InlineContent{node.bytes};
      continue;
    }
    contents[id] = catalog::PieceContent{};
    if (node.bytes.size() > kBundleBytes) {
      bundling = false;
      for (std::size_t at = 0; at < node.bytes.size(); at += kPieceBytes) {
        frames.push_back(node.bytes.substr(at, kPieceBytes));
        parts.push_back(
            {id, frames.size() - 1, 0, static_cast<std::uint32_t>(frames.back().size())});
      }
      continue;
    }
    if (!bundling || frames.back().size() > kBundleBytes) frames.emplace_back();
    bundling = true;
    parts.push_back({id, frames.size() - 1, static_cast<std::uint32_t>(frames.back().size()),
                     static_cast<std::uint32_t>(node.bytes.size())});
    frames.back() += node.bytes;
  }
  const auto refs = packs.store(catalog::PackKind::data, frames, packs.data_packs);
  for (const auto& part : parts) {
    std::get<catalog::PieceContent>(contents[part.id])
        .pieces.push_back({refs[part.frame], part.offset, part.length});
  }
}

std::vector<catalog::Entry> PublishedOrigin::entries(Packs& packs) {
  std::map<NodeId, catalog::Content> contents;
  place_bytes(packs, contents);
  std::map<std::string, catalog::Entry> sorted;
  std::map<NodeId, std::uint32_t> names;
  for (const auto& [path, id] : paths_) ++names[id];
  for (const auto& [path, id] : paths_) {
    if (path.empty()) continue;
    const File& node = nodes_.at(id);
    catalog::Entry entry;
    entry.directory = paths_.at(parent_of(path));
    entry.name = path.substr(path.rfind('/') + 1);
    entry.id = id;
    entry.type = node.type;
    entry.mode = node.mode;
    entry.uid = node.uid;
    entry.gid = node.gid;
    entry.nlink = node.type == NodeType::directory ? 2 : names[id];
    entry.mtime_ns = node.mtime_ns;
    entry.xattrs = node.xattrs;
    if (node.type != NodeType::directory) entry.size = node.bytes.size();
    if (node.type == NodeType::symlink) entry.symlink_target = node.bytes;
    if (contents.contains(id)) entry.content = contents[id];
    sorted[catalog::name_key(entry.directory, entry.name)] = std::move(entry);
  }
  std::vector<catalog::Entry> out;
  std::set<NodeId> seen;
  for (auto& [key, entry] : sorted) {
    entry.alias = !seen.insert(entry.id).second;
    out.push_back(std::move(entry));
  }
  return out;
}

std::uint64_t PublishedOrigin::publish() {
  Packs packs(root_);
  catalog::CatalogBuilder builder(packs, head_.chunking);
  for (auto& entry : entries(packs)) must(builder.add(std::move(entry)));
  head_.roots = must(builder.finish());
  ++head_.sequence;
  const auto secret = key();
  const std::string text = must(catalog::encode_head(head_, secret ? &*secret : nullptr));
  write_file(root_ / "revisions" / std::to_string(head_.sequence), text);
  if (!tag.empty()) write_file(root_ / "tags" / tag, text);
  data_packs_ = packs.data_packs;
  page_packs_ = packs.page_packs;
  replay(head_.sequence);
  return head_.sequence;
}

void PublishedOrigin::replay(std::uint64_t sequence) {
  const auto next = root_ / "lazyvol-head.next";
  std::filesystem::remove(next);
  std::filesystem::copy_file(root_ / "revisions" / std::to_string(sequence), next);
  std::filesystem::rename(next, root_ / "lazyvol-head");
}

std::vector<std::filesystem::path> PublishedOrigin::packs(bool of_pages) const {
  const auto& names = of_pages ? page_packs_ : data_packs_;
  return {names.begin(), names.end()};
}

}  // namespace lazyvol::testing
