// What a catalog costs: bytes for each entry of a real listing (/usr, or LAZYVOL_BENCH_TREE),
// lookups, listings, an update.
#include <benchmark/benchmark.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <random>
#include <unordered_map>

#include "catalog/catalog_build.h"
#include "catalog/catalog_read.h"
#include "catalog/file_map.h"
#include "catalog/leaf_page.h"

namespace lazyvol::catalog {
namespace {

constexpr int kLevel = 9;
constexpr std::uint64_t kFrameTarget = 128 * 1024;

// Pages in memory, decompressed, as a node keeps them; counts what they cost on the wire.
class Pages : public PageReader, public PageWriter {
 public:
  Result<Page> read(const FrameRef& ref) override { return pages_.at(ref.hash); }
  Status write(std::string page) override {
    const EncodedFrame frame = *encode_frame(page, kLevel);
    const FrameRef ref = frame.at(sha256("pack of level " + std::to_string(seals_)), offset_);
    offset_ += ref.stored;
    if (pages_.emplace(ref.hash, std::make_shared<const std::string>(std::move(page))).second) {
      stored += ref.stored;
      raw += ref.raw;
      ++count;
    }
    open_.push_back(ref);
    return {};
  }
  Result<std::vector<FrameRef>> seal() override {
    ++seals_;
    offset_ = 16;
    return std::exchange(open_, {});
  }

  std::uint64_t stored = 0, raw = 0, count = 0;

 private:
  std::unordered_map<Digest, Page, DigestHash> pages_;
  std::vector<FrameRef> open_;
  std::uint32_t offset_ = 16;
  int seals_ = 0;
};

// Stands in for a publisher: the sizes and names are real, the frames' places and hashes made up.
class Publisher {
 public:
  explicit Publisher(Pages& maps) : maps_(&maps) {}

  std::vector<Entry> scan(const std::filesystem::path& root) {
    std::deque<std::pair<std::filesystem::path, NodeId>> directories{{root, kRootNode}};
    for (; !directories.empty(); directories.pop_front()) {
      const auto& [path, id] = directories.front();
      std::error_code ignored;
      std::vector<std::filesystem::path> names;
      for (const auto& found : std::filesystem::directory_iterator(path, ignored)) {
        names.push_back(found.path());
      }
      std::sort(names.begin(), names.end(), [](const auto& a, const auto& b) {
        return a.filename().native() < b.filename().native();
      });
      for (const auto& name : names) add(name, id, directories);
    }
    return std::move(entries_);
  }

  std::uint64_t frames = 0;

 private:
  void add(const std::filesystem::path& path, NodeId directory,
           std::deque<std::pair<std::filesystem::path, NodeId>>& directories) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) return;
    Entry entry;
    entry.directory = directory;
    entry.name = path.filename().native();
    entry.id = next_++;
    entry.mode = status.st_mode & 07777;
    entry.uid = status.st_uid;
    entry.gid = status.st_gid;
    entry.nlink = static_cast<std::uint32_t>(status.st_nlink);
    entry.mtime_ns = status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec;
    if (S_ISDIR(status.st_mode)) {
      entry.type = NodeType::directory;
      directories.emplace_back(path, entry.id);
    } else if (S_ISLNK(status.st_mode)) {
      std::error_code ignored;
      entry.type = NodeType::symlink;
      entry.symlink_target = std::filesystem::read_symlink(path, ignored).native();
      entry.size = entry.symlink_target.size();
    } else if (S_ISREG(status.st_mode)) {
      entry.size = static_cast<std::uint64_t>(status.st_size);
      add_content(entry);
    } else {
      return;
    }
    if (check_entry(entry).ok()) entries_.push_back(std::move(entry));
  }

  void add_content(Entry& entry) {
    if (entry.size == 0) return;
    if (entry.size <= kMaxInline) {
      std::string bytes(entry.size, '\0');  // text, about as compressible as a path
      for (char& c : bytes) c = static_cast<char>('a' + random_() % 8);
      entry.content = InlineContent{bytes};
      return;
    }
    std::vector<Piece> pieces;
    for (std::uint64_t left = entry.size; left > 0;) {
      if (used_ == kFrameTarget) next_frame();
      const std::uint64_t length = std::min(left, kFrameTarget - used_);
      pieces.push_back(
          {frame_, static_cast<std::uint32_t>(used_), static_cast<std::uint32_t>(length)});
      used_ += length;
      left -= length;
    }
    if (pieces.size() <= kMaxPieces) {
      entry.content = PieceContent{pieces};
      return;
    }
    std::vector<Extent> extents;
    for (const Piece& piece : pieces) {
      extents.push_back({Extent::Kind::piece, piece.length, piece.frame, piece.offset});
    }
    entry.content = MapContent{*write_file_maps(*maps_, std::move(extents))};
  }

  void next_frame() {
    frame_.pack = sha256("pack " + std::to_string(frames / 1'300));
    frame_.offset = frames % 1'300 == 0 ? 16 : frame_.offset + frame_.stored;
    frame_.stored = static_cast<std::uint32_t>(20'000 + random_() % 60'000);
    frame_.raw = static_cast<std::uint32_t>(kFrameTarget);
    frame_.hash = sha256("frame " + std::to_string(frames++));
    used_ = 0;
  }

  Pages* maps_;
  std::vector<Entry> entries_;
  NodeId next_ = 2;
  FrameRef frame_;
  std::uint64_t used_ = kFrameTarget;
  std::mt19937_64 random_{1};
};

struct World {
  World() {
    Pages maps;
    Publisher publisher(maps);
    const char* tree = std::getenv("LAZYVOL_BENCH_TREE");
    entries = publisher.scan(tree != nullptr ? tree : "/usr");
    roots = build(pages, {});
    names = std::make_shared<const std::string>(roots.names);
    ids = std::make_shared<const std::string>(roots.ids);
    const auto each = [&](std::uint64_t bytes) {
      return static_cast<double>(bytes) / static_cast<double>(entries.size());
    };
    std::printf("%zu entries, %llu frames (%.2f for each entry)\n", entries.size(),
                static_cast<unsigned long long>(publisher.frames), each(publisher.frames));
    std::uint64_t breaks = 0;
    for (std::size_t i = 1; i < entries.size(); ++i) {
      breaks += entries[i].id != entries[i - 1].id + 1 ? 1 : 0;
    }
    base::ByteReader header(roots.ids);
    const PageHeader shape = read_page_header(header);
    std::printf("breaks in the order of ids: %llu; tree of ids: root of level %u with %zu rows\n",
                static_cast<unsigned long long>(breaks), shape.level, shape.rows);
    for (const unsigned log2 : {14U, 15U, 16U}) {
      Pages other;
      build(other, {log2, 14});
      std::printf("leaves of 2^%u: %llu pages of %.1f KB, %.2f B/entry, %.2f on the wire\n", log2,
                  static_cast<unsigned long long>(other.count),
                  static_cast<double>(other.raw) / static_cast<double>(other.count) / 1'000,
                  each(other.raw), each(other.stored));
    }
    std::printf("file maps: %.2f B/entry; roots: %zu and %zu bytes\n", each(maps.stored),
                roots.names.size(), roots.ids.size());
  }
  Roots build(Pages& to, const Chunking& chunking) const {
    CatalogBuilder builder(to, chunking);
    for (const Entry& entry : entries) {
      if (!builder.add(entry).ok()) std::abort();
    }
    return *builder.finish();
  }

  Pages pages;
  std::vector<Entry> entries;
  Roots roots;
  Page names, ids;
};

World& world() {
  static World one;
  return one;
}

void lookup(benchmark::State& state) {
  World& at = world();
  std::mt19937_64 random(1);
  for (auto _ : state) {
    const Entry& wanted = at.entries[random() % at.entries.size()];
    const Page page =
        *find_leaf(at.pages, at.names, Tree::names, name_key(wanted.directory, wanted.name));
    const auto leaf = LeafPage::open(*page);
    const auto row = leaf->find(wanted.directory, wanted.name);
    if (leaf->attributes(**row)->id != wanted.id) std::abort();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(lookup);

void lookup_with_content(benchmark::State& state) {
  World& at = world();
  std::mt19937_64 random(1);
  for (auto _ : state) {
    const Entry& wanted = at.entries[random() % at.entries.size()];
    benchmark::DoNotOptimize(find_entry(at.pages, at.names, wanted.directory, wanted.name));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(lookup_with_content);

// The peer: what the same lookups cost when each leaf is decompressed first.
void lookup_decompressing(benchmark::State& state) {
  World& at = world();
  std::mt19937_64 random(1);
  for (auto _ : state) {
    const Entry& wanted = at.entries[random() % at.entries.size()];
    const Page page =
        *find_leaf(at.pages, at.names, Tree::names, name_key(wanted.directory, wanted.name));
    state.PauseTiming();
    const std::string stored = *compress(*page, 3);
    state.ResumeTiming();
    const std::string raw = *decompress(stored, page->size());
    const auto leaf = LeafPage::open(raw);
    benchmark::DoNotOptimize(leaf->find(wanted.directory, wanted.name));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(lookup_decompressing)->Iterations(3'000);

void lookup_by_id(benchmark::State& state) {
  World& at = world();
  std::mt19937_64 random(1);
  for (auto _ : state) {
    const Entry& wanted = at.entries[random() % at.entries.size()];
    benchmark::DoNotOptimize(find_entry(at.pages, at.names, at.ids, wanted.id));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(lookup_by_id);

void validate_leaf(benchmark::State& state) {
  World& at = world();
  const Page page = *find_leaf(at.pages, at.names, Tree::names, name_key(500, ""));
  for (auto _ : state) benchmark::DoNotOptimize(LeafPage::open(*page)->validate().ok());
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(page->size()));
}
BENCHMARK(validate_leaf);

// One directory of a million names, as readdirplus wants it.
void list_million(benchmark::State& state) {
  static Pages pages;
  static const Page root = [] {
    CatalogBuilder builder(pages, {});
    for (NodeId id = 2; id < 1'000'002; ++id) {
      char name[32];
      std::snprintf(name, sizeof name, "sample-%08u.bin", static_cast<unsigned>(id));
      Entry entry;
      entry.directory = 1;
      entry.name = name;
      entry.id = id;
      entry.mode = 0644;
      entry.mtime_ns = 1'700'000'000'000'000'000;
      if (!builder.add(std::move(entry)).ok()) std::abort();
    }
    return std::make_shared<const std::string>(builder.finish()->names);
  }();
  for (auto _ : state) {
    const auto listed = list_directory(pages, root, 1, "", 2'000'000);
    if (listed->size() != 1'000'000) std::abort();
  }
  state.SetItemsProcessed(state.iterations() * 1'000'000);
}
BENCHMARK(list_million)->Unit(benchmark::kMillisecond);

void update_one(benchmark::State& state) {
  World& at = world();
  std::mt19937_64 random(1);
  std::uint64_t bytes = 0, roots_bytes = 0;
  for (auto _ : state) {
    Entry entry = at.entries[random() % at.entries.size()];
    entry.mtime_ns += 1'000'000'000;
    const std::uint64_t before = at.pages.stored;
    const auto roots = update_catalog(at.pages, at.pages, at.roots, {}, {put_entry(entry)});
    bytes += at.pages.stored - before;
    roots_bytes += roots->names.size() + roots->ids.size();
  }
  const auto rounds = static_cast<double>(state.iterations());
  state.counters["pages_B"] = static_cast<double>(bytes) / rounds;
  state.counters["roots_B"] = static_cast<double>(roots_bytes) / rounds;
}
BENCHMARK(update_one)->Unit(benchmark::kMicrosecond)->Iterations(300);

}  // namespace
}  // namespace lazyvol::catalog

BENCHMARK_MAIN();
