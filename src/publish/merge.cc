#include "publish/merge.h"

#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "catalog/catalog_read.h"
#include "publish/page_walk.h"

namespace lazyvol::publish {
namespace {

using catalog::Entry;

// Takes the merged entries in order.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual Status put(Entry entry, bool changed) = 0;
  virtual Status erase(NodeId directory, const std::string& name) = 0;
};

class EditSink final : public Sink {
 public:
  explicit EditSink(std::size_t limit) : limit_(limit) {}
  Status put(Entry entry, bool changed) override {
    if (!changed) return {};
    edits_.push_back(catalog::put_entry(std::move(entry)));
    return check();
  }
  Status erase(NodeId directory, const std::string& name) override {
    edits_.push_back(catalog::erase_entry(directory, name));
    return check();
  }
  bool is_full() const { return edits_.size() > limit_; }
  std::vector<catalog::EntryEdit> take() { return std::move(edits_); }

 private:
  Status check() const {
    if (is_full()) return Error{Code::too_large, "too many edits to be held in memory"};
    return {};
  }
  std::size_t limit_;
  std::vector<catalog::EntryEdit> edits_;
};

class BuildSink final : public Sink {
 public:
  BuildSink(catalog::PageWriter& writer, const catalog::Chunking& chunking)
      : builder_(writer, chunking) {}
  Status put(Entry entry, bool) override { return builder_.add(std::move(entry)); }
  Status erase(NodeId, const std::string&) override { return {}; }
  Result<catalog::Roots> finish() { return builder_.finish(); }

 private:
  catalog::CatalogBuilder builder_;
};

class Merge {
 public:
  Merge(const MergeInput& input, catalog::PageReader& reader, State& state, Sink& sink)
      : in_(input),
        reader_(reader),
        state_(state),
        sink_(sink),
        names_(std::make_shared<const std::string>(input.old_roots.names)),
        ids_(std::make_shared<const std::string>(input.old_roots.ids)),
        named_(input.tree.groups.size()) {}

  Status run() {
    LAZYVOL_TRY(
        catalog::for_each_entry(reader_, names_, [&](const Entry& old) { return pass(old); }));
    for (; const auto next = peek(); advance()) LAZYVOL_TRY(put(*next, nullptr));
    return {};
  }
  Merged take() { return std::move(out_); }

 private:
  // Puts what comes before an old entry, and what takes its place.
  Status pass(const Entry& old) {
    while (const auto next = peek()) {
      const int order = compare(*next, old);
      if (order > 0) break;
      LAZYVOL_TRY(put(*next, order == 0 ? &old : nullptr));
      advance();
      if (order == 0) return {};
    }
    ++out_.changed;
    return sink_.erase(old.directory, old.name);
  }
  std::optional<std::uint32_t> peek() {
    const auto& order = in_.match.directories;
    while (directory_ < order.size() && child_ == in_.tree.nodes[order[directory_]].children) {
      ++directory_;
      child_ = 0;
    }
    if (directory_ == order.size()) return std::nullopt;
    return in_.tree.nodes[order[directory_]].first_child + child_;
  }
  void advance() { ++child_; }

  int compare(std::uint32_t number, const Entry& old) const {
    const Node& node = in_.tree.nodes[number];
    const NodeId directory = in_.tree.nodes[node.parent].id;
    if (directory != old.directory) return directory < old.directory ? -1 : 1;
    return in_.tree.name(node).compare(old.name);
  }

  Status put(std::uint32_t number, const Entry* old) {
    const Node& name = in_.tree.nodes[number];
    const Node& node = name.group == 0 ? name : in_.tree.nodes[in_.tree.groups[name.group - 1]];
    Entry entry;
    entry.directory = in_.tree.nodes[name.parent].id;
    entry.name = in_.tree.name(name);
    entry.id = node.id;
    if (name.group != 0) {
      entry.alias = named_[name.group - 1];
      named_[name.group - 1] = true;
    }
    entry.type = node.type;
    entry.mode = node.mode;
    entry.uid = node.uid;
    entry.gid = node.gid;
    entry.nlink = node.nlink;
    entry.size = node.stamp.size;
    entry.mtime_ns = node.stamp.mtime_ns;
    if (const Extra* extra = in_.tree.extra(node)) {
      entry.symlink_target = extra->target;
      entry.xattrs = extra->xattrs;
    }
    LAZYVOL_TRY_ASSIGN(entry.content, content(node, old));
    LAZYVOL_TRY(count(entry));
    const bool changed = old == nullptr || entry != *old;
    if (changed) ++out_.changed;
    return sink_.put(std::move(entry), changed);
  }

  Result<catalog::Content> content(const Node& node, const Entry* old) {
    if (node.fate == Fate::stored) return stored_content(node.content);
    if (node.fate != Fate::kept) return catalog::Content();
    if (old != nullptr && old->id == node.id) return old->content;
    LAZYVOL_TRY_ASSIGN(auto found, catalog::find_entry(reader_, names_, ids_, node.id));
    if (!found) return Error{Code::corrupt, "an id of the old catalog has no entry"};
    return std::move(found->content);
  }

  catalog::Content stored_content(std::uint32_t number) const {
    const FileContent& file = in_.contents.files[number];
    if (file.count == 0) return {};
    if (file.is_inline) {
      return catalog::InlineContent{std::string(in_.contents.inline_of(file))};
    }
    if (needs_map(file)) return catalog::MapContent{in_.maps.at(number)};
    catalog::PieceContent list;
    for (const FilePiece& piece : in_.contents.pieces_of(file)) {
      list.pieces.push_back(
          {in_.places.at(piece.frame), piece.offset, static_cast<std::uint32_t>(piece.length)});
    }
    return list;
  }

  Status count(const Entry& entry) {
    constexpr std::uint64_t kSmall = 64 * 1024;
    ++out_.entries;
    catalog::Statistics& sums = out_.statistics;
    if (entry.type == NodeType::directory) ++sums.directories;
    if (entry.type == NodeType::symlink) ++sums.symlinks;
    if (entry.type != NodeType::file || entry.alias) return {};
    ++sums.files;
    if (entry.size <= kSmall) ++sums.small_files;
    sums.bytes += entry.size;
    return for_each_pack(entry.content, reader_, state_,
                         [this](const catalog::Digest& pack) { out_.packs.insert(pack); });
  }

  const MergeInput& in_;
  catalog::PageReader& reader_;
  State& state_;
  Sink& sink_;
  const catalog::Page names_, ids_;
  std::vector<bool> named_;  // groups whose first name came
  std::size_t directory_ = 0;
  std::uint32_t child_ = 0;
  Merged out_;
};

Result<Merged> build(const MergeInput& input, catalog::PageReader& reader, PagePacks& writer,
                     State& state) {
  RememberingReader remembering(reader, writer.known());
  LAZYVOL_TRY(for_each_page(remembering, input.old_roots.ids, true, [](const auto&) {}));
  // The leaves of names must be known before the first of them is written again, so they are read
  // now; the merge itself finds most of them in the reader's memory.
  LAZYVOL_TRY(for_each_page(remembering, input.old_roots.names, true, [](const auto&) {}));
  BuildSink sink(writer, input.chunking);
  Merge merge(input, reader, state, sink);
  LAZYVOL_TRY(merge.run());
  Merged merged = merge.take();
  LAZYVOL_TRY_ASSIGN(merged.roots, sink.finish());
  return merged;
}

}  // namespace

Result<Merged> make_catalog(const MergeInput& input, catalog::PageReader& reader, PagePacks& writer,
                            State& state, const Limits& limits) {
  if (input.old_roots == catalog::empty_roots()) return build(input, reader, writer, state);
  EditSink sink(limits.edits);
  Merge merge(input, reader, state, sink);
  const Status status = merge.run();
  if (!status.ok() && sink.is_full()) return build(input, reader, writer, state);
  if (!status.ok()) return status.error();
  Merged merged = merge.take();
  LAZYVOL_TRY_ASSIGN(merged.roots, catalog::update_catalog(reader, writer, input.old_roots,
                                                           input.chunking, sink.take()));
  return merged;
}

}  // namespace lazyvol::publish
