#include "publish/file_storage.h"

#include <utility>

namespace lazyvol::publish {
namespace {

// One file at a time.
class Storing {
 public:
  Storing(ReadAhead& ahead, Bundler& bundler, Contents& contents)
      : ahead_(ahead), bundler_(bundler), contents_(contents) {}

  // Takes the parts of the next file. `known`: what it may turn out to be.
  Result<FileFacts> take(const std::optional<Fingerprint>& known) {
    begin();
    bool is_long = false;
    while (true) {
      LAZYVOL_TRY_ASSIGN(FilePart part, ahead_.next());
      switch (part.kind) {
        case FilePart::Kind::whole:
          LAZYVOL_TRY(whole(std::move(part.chunk), known));
          break;
        case FilePart::Kind::chunk:
          is_long = true;
          hash_.chunk(part.chunk.digest, part.chunk.bytes.size());
          LAZYVOL_TRY(bundler_.add_long(std::move(part.chunk)));
          break;
        case FilePart::Kind::hole:
          hash_.hole(part.hole);
          content_.has_holes = true;
          contents_.pieces.push_back({.length = part.hole, .frame = FilePiece::kHole, .offset = 0});
          break;
        case FilePart::Kind::restart:
          bundler_.drop_long();
          contents_.pieces.resize(content_.begin);
          begin();
          break;
        case FilePart::Kind::end:
          if (is_long) LAZYVOL_TRY(bundler_.end_long());
          end(part.facts, known);
          return std::move(part.facts);
      }
    }
  }
  bool is_known() const { return is_known_; }

 private:
  void begin() {
    content_ = FileContent();
    content_.begin = contents_.pieces.size();
    hash_ = ContentFingerprint();
    whole_.reset();
  }

  Status whole(Chunk chunk, const std::optional<Fingerprint>& known) {
    hash_.chunk(chunk.digest, chunk.bytes.size());
    whole_ = hash_.finish();
    if (whole_ == known) return {};
    if (chunk.bytes.size() > catalog::kMaxInline) return bundler_.add_small(std::move(chunk));
    content_.is_inline = true;
    content_.begin = contents_.bytes.size();
    content_.count = static_cast<std::uint32_t>(chunk.bytes.size());
    contents_.bytes += chunk.bytes;
    return {};
  }

  void end(const FileFacts& facts, const std::optional<Fingerprint>& known) {
    content_.fingerprint = whole_ ? *whole_ : hash_.finish();
    content_.settled = facts.settled;
    is_known_ = content_.fingerprint == known;
    if (!content_.is_inline) {
      if (is_known_) contents_.pieces.resize(content_.begin);
      content_.count = static_cast<std::uint32_t>(contents_.pieces.size() - content_.begin);
    }
    contents_.files.push_back(content_);
  }

  ReadAhead& ahead_;
  Bundler& bundler_;
  Contents& contents_;
  FileContent content_;
  ContentFingerprint hash_;
  std::optional<Fingerprint> whole_;
  bool is_known_ = false;
};

// What the file was when it was read is the truth.
void take_facts(Tree& tree, Node& node, FileFacts facts) {
  if (!facts.changed) return;
  node.stamp = facts.stamp;
  node.mode = static_cast<std::uint16_t>(facts.mode);
  node.uid = facts.uid;
  node.gid = facts.gid;
  if (node.extra != 0) {
    tree.extras[node.extra - 1].xattrs = std::move(facts.xattrs);
  } else if (!facts.xattrs.empty()) {
    tree.extras.push_back({{}, std::move(facts.xattrs)});
    node.extra = static_cast<std::uint32_t>(tree.extras.size());
  }
}

}  // namespace

Status store_files(ReadAhead& ahead, Bundler& bundler, Tree& tree, Match& match,
                   const FileRows& rows, Contents& contents, Progress& progress) {
  Storing storing(ahead, bundler, contents);
  for (const std::uint32_t number : match.to_read) {
    LAZYVOL_TRY(progress.check());
    Node& node = tree.nodes[number];
    const auto row = rows.find(node.id);
    std::optional<Fingerprint> known;
    if (row && rows.at(*row).contents != Fingerprint{}) known = rows.at(*row).contents;
    LAZYVOL_TRY_ASSIGN(FileFacts facts, storing.take(known));
    take_facts(tree, node, std::move(facts));
    node.content = static_cast<std::uint32_t>(contents.files.size() - 1);
    if (storing.is_known()) {
      node.fate = Fate::kept;
    } else {
      if (row) match.claimed[*row] = false;
      node.id = 0;
      node.fate = Fate::stored;
    }
    progress.files_done.fetch_add(1, std::memory_order_relaxed);
    progress.bytes_done.fetch_add(node.stamp.size, std::memory_order_relaxed);
  }
  return bundler.finish();
}

std::vector<FileRow> new_rows(const Tree& tree, const Match& match, const Contents& contents,
                              const FileRows& rows) {
  std::vector<FileRow> result;
  const auto add = [&](const FileRow& row) {
    const auto old = rows.find(row.id);
    if (!old || rows.at(*old) != row) result.push_back(row);
  };
  for (std::size_t i = 0; i < match.to_read.size(); ++i) {
    const Node& node = tree.nodes[match.to_read[i]];
    const FileContent& content = contents.files[i];
    add({.id = node.id,
         .type = node.type,
         .inode = node.stamp.inode,
         .stamp = content.settled ? stamp_fingerprint(node.stamp) : Fingerprint{},
         .contents = content.fingerprint});
  }
  for (std::size_t number = 1; number < tree.nodes.size(); ++number) {
    const Node& node = tree.nodes[number];
    if (node.fate != Fate::fresh) continue;
    FileRow row;
    row.id = node.id;
    row.type = node.type;
    row.inode = node.stamp.inode;
    if (node.type == NodeType::symlink) row.contents = target_fingerprint(tree.extra(node)->target);
    add(row);
  }
  return result;
}

}  // namespace lazyvol::publish
