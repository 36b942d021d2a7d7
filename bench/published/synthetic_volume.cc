// synthetic_volume make DEST FILES WIDE   a volume of FILES small files in 10,000 directories, and
//                                         one directory of WIDE more, without the files themselves
// synthetic_volume touch DEST             one file gets other bytes: a revision more
//
// For measuring what does not depend on where a tree came from: sizes of catalogs, round trips,
// memory. Prints one line: entries, and bytes of the objects that were written.
#include <charconv>
#include <cstdint>
#include <functional>
#include <iostream>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "catalog/catalog_build.h"
#include "catalog/catalog_read.h"
#include "publish/dir_store.h"
#include "publish/pack_writer.h"
#include "publish/page_packs.h"
#include "publish/progress.h"
#include "publish/revision.h"
#include "publish/volume_reader.h"

namespace {

using namespace lazyvol;

constexpr NodeId kFanOut = 100;  // directories in the root, and in each of them
constexpr std::uint32_t kFileBytes = 4096, kFilesInFrame = 32, kFrames = 500;
constexpr std::int64_t kTime = 1'700'000'000'000'000'000;

std::string number(const char* prefix, std::uint64_t value, int digits) {
  std::string text = std::to_string(value);
  return prefix + std::string(static_cast<std::size_t>(digits) - text.size(), '0') + text;
}

/// A pack of `count` frames of noise that compresses somewhat.
Result<publish::StoredPack> make_data(publish::Store& store, std::uint32_t count,
                                      std::uint32_t seed, const publish::Limits& limits) {
  publish::PackWriter pack(store, catalog::PackKind::data, limits);
  std::mt19937_64 random(seed);
  for (std::uint32_t i = 0; i < count; ++i) {
    std::string raw;
    while (raw.size() < kFileBytes * kFilesInFrame)
      raw += std::to_string(random()) + " some text\n";
    raw.resize(kFileBytes * kFilesInFrame);
    LAZYVOL_TRY_ASSIGN(const auto frame, catalog::encode_frame(raw, 3));
    LAZYVOL_TRY(pack.add(frame));
  }
  return pack.close();
}

catalog::Entry directory(NodeId parent, std::string name, NodeId id) {
  catalog::Entry entry;
  entry.directory = parent;
  entry.name = std::move(name);
  entry.id = id;
  entry.type = NodeType::directory;
  entry.mode = 0755;
  entry.nlink = 2;
  entry.mtime_ns = kTime;
  return entry;
}

catalog::Entry file(NodeId parent, std::string name, NodeId id, const catalog::FrameRef& frame,
                    std::uint32_t offset) {
  catalog::Entry entry;
  entry.directory = parent;
  entry.name = std::move(name);
  entry.id = id;
  entry.mode = 0644;
  entry.size = kFileBytes;
  entry.mtime_ns = kTime + static_cast<std::int64_t>(id) * 1'000'003;
  entry.content = catalog::PieceContent{{catalog::Piece{frame, offset, kFileBytes}}};
  return entry;
}

/// Numbers entries as a publisher does: in the order of the tree of names.
class Shape {
 public:
  Shape(catalog::CatalogBuilder& builder, const std::vector<catalog::FrameRef>& frames)
      : builder_(builder), frames_(frames) {}

  Status directories(NodeId parent, const char* prefix, NodeId count) {
    for (NodeId i = 0; i < count; ++i) {
      LAZYVOL_TRY(builder_.add(directory(parent, number(prefix, i, 3), next_++)));
    }
    return {};
  }
  Status one_directory(NodeId parent, const char* name) {
    return builder_.add(directory(parent, name, next_++));
  }
  Status files(NodeId parent, std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i, ++files_) {
      const auto& frame = frames_[files_ / kFilesInFrame % frames_.size()];
      const auto offset = static_cast<std::uint32_t>(files_ % kFilesInFrame) * kFileBytes;
      LAZYVOL_TRY(
          builder_.add(file(parent, number("file-", i, 8) + ".txt", next_++, frame, offset)));
    }
    return {};
  }
  NodeId next() const { return next_; }
  std::uint64_t count() const { return files_; }

 private:
  catalog::CatalogBuilder& builder_;
  const std::vector<catalog::FrameRef>& frames_;
  NodeId next_ = kRootNode + 1;
  std::uint64_t files_ = 0;
};

struct Tools {
  publish::Limits limits;
  std::function<void(const publish::PublishProgress&)> tell;
  publish::Progress progress{tell, {}};
};

Status make(publish::Store& store, std::uint64_t files, std::uint64_t wide) {
  Tools tools;
  LAZYVOL_TRY_ASSIGN(const auto data, make_data(store, kFrames, 1, tools.limits));
  publish::PagePacks pages(store, tools.limits, 2, tools.progress);
  catalog::Head head;
  std::random_device random;
  for (auto& byte : head.volume) byte = static_cast<std::uint8_t>(random());
  catalog::CatalogBuilder builder(pages, head.chunking);
  Shape shape(builder, data.frames);
  LAZYVOL_TRY(shape.directories(kRootNode, "a", kFanOut));
  LAZYVOL_TRY(shape.one_directory(kRootNode, "wide"));
  const NodeId wide_id = kRootNode + kFanOut + 1, first_b = wide_id + 1;
  for (NodeId a = kRootNode + 1; a < wide_id; ++a) {
    LAZYVOL_TRY(shape.directories(a, "b", kFanOut));
  }
  LAZYVOL_TRY(shape.files(wide_id, wide));
  const std::uint64_t each = files / (kFanOut * kFanOut);
  for (NodeId b = first_b; b < first_b + kFanOut * kFanOut; ++b) LAZYVOL_TRY(shape.files(b, each));
  LAZYVOL_TRY_ASSIGN(head.roots, builder.finish());
  head.next_id = shape.next();
  head.created_ns = base::system_clock().wall_ns();
  head.root.mtime_ns = kTime;
  head.statistics.files = head.statistics.small_files = shape.count();
  head.statistics.directories = kFanOut * (kFanOut + 1) + 1;
  head.statistics.bytes = shape.count() * kFileBytes;
  head.statistics.stored_bytes = data.bytes + pages.bytes();
  LAZYVOL_TRY_ASSIGN(const auto published,
                     publish::publish_head(store, std::nullopt, head, nullptr));
  std::cout << head.next_id - 2 << " entries, " << pages.bytes() << " bytes of metadata in "
            << pages.packs() << " packs, " << data.bytes << " bytes of data, a head of "
            << published.text.size() << " bytes\n";
  return {};
}

Status touch(publish::Store& store) {
  Tools tools;
  LAZYVOL_TRY_ASSIGN(const auto before, publish::read_head(store, std::string(publish::kHeadPath)));
  if (!before) return Error{Code::not_found, "no volume there"};
  catalog::Head head = before->document.head;
  LAZYVOL_TRY_ASSIGN(
      const auto data,
      make_data(store, 1, static_cast<std::uint32_t>(head.sequence) + 1, tools.limits));
  publish::StorePages reader(store);
  const auto root = std::make_shared<const std::string>(head.roots.names);
  const NodeId somewhere = kRootNode + kFanOut + 2 + 4711;  // a directory of files
  const std::string name = number("file-", 42, 8) + ".txt";
  LAZYVOL_TRY_ASSIGN(auto entry, catalog::find_entry(reader, root, somewhere, name));
  if (!entry) return Error{Code::not_found, name + " is not in the volume"};
  entry->content = catalog::PieceContent{{catalog::Piece{data.frames[0], 0, kFileBytes}}};
  entry->id = head.next_id++;
  publish::PagePacks pages(store, tools.limits, 2, tools.progress);
  std::vector<catalog::EntryEdit> edits;
  edits.push_back(catalog::put_entry(*std::move(entry)));
  LAZYVOL_TRY_ASSIGN(head.roots, catalog::update_catalog(reader, pages, head.roots, head.chunking,
                                                         std::move(edits)));
  LAZYVOL_TRY_ASSIGN(const auto published, publish::publish_head(store, before, head, nullptr));
  std::cout << "1 entry, " << pages.bytes() << " bytes of metadata in " << pages.packs()
            << " packs, " << data.bytes << " bytes of data, a head of " << published.text.size()
            << " bytes\n";
  return {};
}

std::uint64_t count_of(std::string_view text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  const bool makes = words.size() == 4 && words[0] == "make";
  if (!makes && !(words.size() == 2 && words[0] == "touch")) {
    std::cerr << "usage: synthetic_volume make DEST FILES WIDE | touch DEST\n";
    return 2;
  }
  const auto store = publish::make_dir_store(words[1]);
  const Status status = !store.ok() ? Status(store.error())
                        : makes     ? make(**store, count_of(words[2]), count_of(words[3]))
                                    : touch(**store);
  if (status.ok()) return 0;
  std::cerr << status.error().message << "\n";
  return 1;
}
