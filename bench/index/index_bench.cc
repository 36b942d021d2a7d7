// What metadata costs: lookups and listings in the tree store, and opening the index.
#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include <cstdio>
#include <random>

#include "cache/tree_store.h"
#include "support/temp_dir.h"

namespace lazyvol::cache {
namespace {

constexpr NodeId kDirectory = 1;

std::vector<StoredEntry> listing(std::size_t count, NodeId first) {
  std::vector<StoredEntry> result(count);
  for (std::size_t n = 0; n < count; ++n) {
    char name[32];
    std::snprintf(name, sizeof name, "file-%08zu.dat", n);
    result[n].remote.name = name;
    result[n].remote.size = 1'000 + n * 37 % 100'000;
    result[n].remote.mtime_ns =
        1'700'000'000'000'000'000 + static_cast<std::int64_t>(n % 977) * 1'000'000'000;
    result[n].remote.validator = "\"65a1b2c3-" + std::to_string(n * 7'919 % 1'000'000) + "\"";
    result[n].id = first + n;
  }
  return result;
}

// A store with one directory of `count` entries.
class Tree {
 public:
  explicit Tree(std::size_t count) : entries_(listing(count, 2)) {
    reopen();
    header_.entries = count;
    if (count > 0) check(store_->replace(volume_, kDirectory, header_, entries_));
  }
  void reopen() {
    store_.reset();
    index_.reset();
    index_ = *Index::open(dir_.path());
    store_ = std::make_unique<TreeStore>(*index_);
    volume_ = *store_->open_volume("bench");
  }
  void close() {
    store_.reset();
    index_.reset();
  }
  static void check(const Status& status) {
    if (!status.ok()) std::abort();
  }

  lazyvol::testing::TempDir dir_;
  std::vector<StoredEntry> entries_;
  DirectoryHeader header_;
  std::unique_ptr<Index> index_;
  std::unique_ptr<TreeStore> store_;
  VolumeId volume_ = 0;
};

double peak_mib() {
  struct rusage usage {};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

void find_name(benchmark::State& state) {
  Tree tree(static_cast<std::size_t>(state.range(0)));
  std::mt19937_64 random(1);
  for (auto _ : state) {
    const auto& name = tree.entries_[random() % tree.entries_.size()].remote.name;
    if (!(*tree.store_->find(tree.volume_, kDirectory, name)).has_value()) std::abort();
  }
}
BENCHMARK(find_name)->Arg(100)->Arg(100'000);

void find_absent_name(benchmark::State& state) {
  Tree tree(static_cast<std::size_t>(state.range(0)));
  std::mt19937_64 random(1);
  for (auto _ : state) {
    const auto name = tree.entries_[random() % tree.entries_.size()].remote.name + "~";
    if ((*tree.store_->find(tree.volume_, kDirectory, name)).has_value()) std::abort();
  }
}
BENCHMARK(find_absent_name)->Arg(100'000);

void find_place(benchmark::State& state) {
  Tree tree(static_cast<std::size_t>(state.range(0)));
  std::mt19937_64 random(1);
  for (auto _ : state) {
    const NodeId id = 2 + random() % tree.entries_.size();
    if (!(*tree.store_->place(tree.volume_, id)).has_value()) std::abort();
  }
}
BENCHMARK(find_place)->Arg(100'000);

void read_listing(benchmark::State& state) {
  Tree tree(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state)
    benchmark::DoNotOptimize(tree.store_->entries(tree.volume_, kDirectory)->size());
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(read_listing)->Arg(100'000)->Unit(benchmark::kMillisecond);

void replace_unchanged(benchmark::State& state) {
  Tree tree(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state)
    Tree::check(tree.store_->replace(tree.volume_, kDirectory, tree.header_, tree.entries_));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(replace_unchanged)->Arg(100'000)->Unit(benchmark::kMillisecond);

void update_one_entry(benchmark::State& state) {
  Tree tree(static_cast<std::size_t>(state.range(0)));
  std::mt19937_64 random(1);
  for (auto _ : state) {
    auto& entry = tree.entries_[random() % tree.entries_.size()];
    ++entry.stat_wall_ns;
    Tree::check(tree.store_->update_entry(tree.volume_, kDirectory, entry));
  }
}
BENCHMARK(update_one_entry)->Arg(100'000)->Unit(benchmark::kMicrosecond);

void open_after_close(benchmark::State& state) {
  Tree tree(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) tree.reopen();
}
BENCHMARK(open_after_close)->Arg(0)->Arg(100'000)->Unit(benchmark::kMillisecond);

// Last, because it decides the peak of the process: the first listing of a directory, with what it
// adds to the peak beside the entries themselves.
void replace_new(benchmark::State& state) {
  double added = 0;
  for (auto _ : state) {
    state.PauseTiming();
    auto tree = std::make_unique<Tree>(0);
    const auto entries = listing(static_cast<std::size_t>(state.range(0)), 2);
    const double before = peak_mib();
    state.ResumeTiming();
    Tree::check(tree->store_->replace(tree->volume_, kDirectory, tree->header_, entries));
    state.PauseTiming();
    added = std::max(added, peak_mib() - before);
    state.counters["disk_MiB"] = static_cast<double>(tree->index_->disk_bytes()) / (1 << 20);
    tree.reset();
    state.ResumeTiming();
  }
  state.counters["peak_added_MiB"] = added;
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(replace_new)->Arg(100'000)->Arg(1'000'000)->Iterations(2)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace lazyvol::cache

BENCHMARK_MAIN();
