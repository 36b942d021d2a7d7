#include "publish/sample_volume.h"

#include <cstdio>
#include <cstdlib>

#include "catalog/file_map.h"
#include "catalog/key.h"
#include "publish/volume_reader.h"

namespace lazyvol::publish {

using catalog::Content;
using catalog::Entry;
using catalog::FrameRef;

namespace {

void require(bool holds, const std::string& what) {
  if (holds) return;
  std::fprintf(stderr, "sample volume: %s\n", what.c_str());
  std::abort();
}

/// One pack that is being filled.
class OnePack {
 public:
  OnePack(Store& store, catalog::PackKind kind)
      : store_(store), builder_(kind), bytes_(builder_.begin()) {}

  Status add(std::string_view raw) {
    LAZYVOL_TRY_ASSIGN(const catalog::EncodedFrame frame, catalog::encode_frame(raw, 1));
    LAZYVOL_TRY_ASSIGN(const std::uint32_t offset, builder_.add(frame));
    bytes_ += frame.bytes;
    frames_.push_back(frame.at({}, offset));
    return {};
  }
  Result<std::vector<FrameRef>> close() {
    if (frames_.empty()) return std::vector<FrameRef>();
    bytes_ += builder_.finish();
    LAZYVOL_TRY_ASSIGN(const auto writer, store_.create());
    LAZYVOL_TRY(writer->write(bytes_));
    LAZYVOL_TRY(writer->commit(catalog::pack_path(builder_.name())));
    for (FrameRef& frame : frames_) frame.pack = builder_.name();
    return std::move(frames_);
  }

 private:
  Store& store_;
  catalog::PackBuilder builder_;
  std::string bytes_;
  std::vector<FrameRef> frames_;
};

/// Pages in a pack for each level, but for those that the revision before has.
class PackPages final : public catalog::PageWriter {
 public:
  PackPages(Store& store, const SampleVolume::Pages& known) : store_(store), known_(known) {}
  Status write(std::string page) override {
    const catalog::Digest digest = catalog::sha256(page);
    level_.push_back(digest);
    if (known_.contains(digest) || fresh_.contains(digest)) return {};
    if (!pack_) pack_.emplace(store_, catalog::PackKind::metadata);
    LAZYVOL_TRY(pack_->add(page));
    fresh_[digest] = {};
    order_.push_back(digest);
    return {};
  }
  Result<std::vector<FrameRef>> seal() override {
    if (pack_) {
      LAZYVOL_TRY_ASSIGN(const std::vector<FrameRef> frames, pack_->close());
      for (std::size_t i = 0; i < frames.size(); ++i) fresh_[order_[i]] = frames[i];
    }
    pack_.reset();
    order_.clear();
    std::vector<FrameRef> result;
    for (const catalog::Digest& digest : level_) {
      const auto old = known_.find(digest);
      result.push_back(old != known_.end() ? old->second : fresh_.at(digest));
      used[digest] = result.back();
    }
    level_.clear();
    return result;
  }
  SampleVolume::Pages used;

 private:
  Store& store_;
  const SampleVolume::Pages& known_;
  SampleVolume::Pages fresh_;
  std::optional<OnePack> pack_;
  std::vector<catalog::Digest> order_, level_;
};

std::pair<std::string, std::string> split(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return {"", path};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

}  // namespace

NodeId SampleVolume::add(const std::string& path, Node node) {
  const std::string above = split(path).first;
  require(above.empty() || names_.contains(above), "no directory for " + path);
  require(!names_.contains(path), path + " is there");
  const NodeId id = next_id_++;
  names_[path] = id;
  nodes_[id] = std::move(node);
  return id;
}

SampleVolume::Node& SampleVolume::node(const std::string& path) {
  require(names_.contains(path), "no " + path);
  return nodes_.at(names_.at(path));
}

void SampleVolume::make_directory(const std::string& path) {
  add(path, {NodeType::directory, 0755, 2, {}});
}

void SampleVolume::write(const std::string& path, std::string bytes) {
  if (!names_.contains(path)) add(path, {});
  node(path).bytes = std::move(bytes);
}

void SampleVolume::make_symlink(const std::string& path, std::string target) {
  add(path, {NodeType::symlink, 0777, 1, std::move(target)});
}

void SampleVolume::link(const std::string& path, const std::string& existing) {
  ++node(existing).nlink;
  require(!names_.contains(path), path + " is there");
  names_[path] = names_.at(existing);
}

void SampleVolume::set_mode(const std::string& path, std::uint32_t mode) {
  node(path).mode = mode;
}

void SampleVolume::remove(const std::string& path) {
  const auto drop = [&](const std::string& name) {
    const NodeId id = names_.at(name);
    names_.erase(name);
    if (nodes_.at(id).type == NodeType::directory || --nodes_.at(id).nlink == 0) nodes_.erase(id);
  };
  for (const std::string& name : paths()) {
    if (name.starts_with(path + "/")) drop(name);
  }
  drop(path);
}

void SampleVolume::move(const std::string& from, const std::string& to) {
  require(names_.contains(from) && !names_.contains(to), "cannot move " + from + " to " + to);
  for (const std::string& name : paths()) {
    if (name != from && !name.starts_with(from + "/")) continue;
    const NodeId id = names_.at(name);
    names_.erase(name);
    names_[to + name.substr(from.size())] = id;
  }
}

std::vector<std::string> SampleVolume::paths() const {
  std::vector<std::string> result;
  for (const auto& [path, id] : names_) result.push_back(path);
  return result;
}

std::vector<Entry> SampleVolume::entries(const std::map<std::string, Content>& contents) const {
  std::map<std::string, Entry> sorted;
  for (const auto& [path, id] : names_) {
    const Node& node = nodes_.at(id);
    const auto [above, name] = split(path);
    Entry entry;
    entry.directory = above.empty() ? kRootNode : names_.at(above);
    entry.name = name;
    entry.id = id;
    entry.type = node.type;
    entry.mode = node.mode;
    entry.nlink = node.nlink;
    entry.mtime_ns = 1'700'000'000'000'000'000;
    if (node.type == NodeType::symlink) entry.symlink_target = node.bytes;
    if (node.type == NodeType::file) entry.content = contents.at(node.bytes);
    entry.size = node.bytes.size();
    sorted.emplace(catalog::name_key(entry.directory, name), std::move(entry));
  }
  std::vector<Entry> result;
  std::set<NodeId> seen;
  for (auto& [key, entry] : sorted) {
    entry.alias = !seen.insert(entry.id).second;
    result.push_back(std::move(entry));
  }
  return result;
}

namespace {

/// The contents of files, with what is new of them in packs of their own.
Result<std::map<std::string, Content>> store_contents(Store& store,
                                                      const std::set<std::string>& wanted,
                                                      const std::map<std::string, Content>& known,
                                                      std::size_t piece_bytes) {
  std::map<std::string, Content> result;
  OnePack data(store, catalog::PackKind::data);
  std::vector<std::pair<std::string, std::size_t>> fresh;  // and their number of pieces
  for (const std::string& bytes : wanted) {
    if (const auto old = known.find(bytes); old != known.end()) {
      result.insert(*old);
    } else if (bytes.empty()) {
      result[bytes] = std::monostate();
    } else if (bytes.size() <= catalog::kMaxInline) {
      result[bytes] = catalog::InlineContent{bytes};
    } else {
      std::size_t pieces = 0;
      for (std::size_t at = 0; at < bytes.size(); at += piece_bytes, ++pieces) {
        LAZYVOL_TRY(data.add(std::string_view(bytes).substr(at, piece_bytes)));
      }
      fresh.emplace_back(bytes, pieces);
    }
  }
  LAZYVOL_TRY_ASSIGN(const std::vector<FrameRef> frames, data.close());
  const SampleVolume::Pages none;
  PackPages maps(store, none);
  std::size_t next = 0;
  for (const auto& [bytes, count] : fresh) {
    catalog::PieceContent list;
    std::vector<catalog::Extent> extents;
    for (std::size_t i = 0; i < count; ++i, ++next) {
      list.pieces.push_back({frames[next], 0, frames[next].raw});
      extents.push_back({catalog::Extent::Kind::piece, frames[next].raw, frames[next], 0});
    }
    if (count <= catalog::kMaxPieces) {
      result[bytes] = std::move(list);
    } else {
      LAZYVOL_TRY_ASSIGN(const FrameRef map, catalog::write_file_maps(maps, std::move(extents)));
      result[bytes] = catalog::MapContent{map};
    }
  }
  return result;
}

}  // namespace

Result<catalog::HeadDocument> SampleVolume::publish(std::int64_t now_ns, const std::string& tag) {
  std::set<std::string> wanted;
  for (const auto& [id, node] : nodes_) {
    if (node.type == NodeType::file) wanted.insert(node.bytes);
  }
  LAZYVOL_TRY_ASSIGN(auto contents, store_contents(store_, wanted, known_, piece_bytes));
  PackPages pages(store_, known_pages_);
  catalog::Head head = head_;
  head.chunking = {10, 10};
  catalog::CatalogBuilder builder(pages, head.chunking);
  for (Entry& entry : entries(contents)) LAZYVOL_TRY(builder.add(std::move(entry)));
  LAZYVOL_TRY_ASSIGN(head.roots, builder.finish());
  head.volume.fill(7);
  head.parent = head_text_ ? catalog::sha256(*head_text_) : catalog::Digest();
  ++head.sequence;
  head.next_id = next_id_;
  head.created_ns = now_ns;
  LAZYVOL_TRY_ASSIGN(const std::string text, catalog::encode_head(head, key_ ? &*key_ : nullptr));
  if (before_head) before_head();
  LAZYVOL_TRY(store_.remove(revision_path(head.sequence)));  // left by one that failed
  LAZYVOL_TRY_ASSIGN(const auto writer, store_.create());
  LAZYVOL_TRY(writer->write(text));
  LAZYVOL_TRY(writer->commit(revision_path(head.sequence)));
  LAZYVOL_TRY(store_.replace(std::string(kHeadPath), head_text_, text));
  if (!tag.empty()) LAZYVOL_TRY(store_.replace("tags/" + tag, std::nullopt, text));
  head_text_ = text;
  head_ = head;
  known_ = std::move(contents);
  known_pages_ = std::move(pages.used);
  return catalog::parse_head(text);
}

}  // namespace lazyvol::publish
