// Replays readers against modelled links, to choose the parameters of readahead.
//
// Nothing here is timed: the figures are the model's, and the same on every machine. The policy is
// the product's own (src/prefetch); the link is modelled (link_model.h).
#include <fmt/core.h>

#include <optional>
#include <string>
#include <vector>

#include "link_model.h"
#include "prefetch/stream_detector.h"

namespace lazyvol::bench {
namespace {

constexpr std::uint64_t kKiB = 1024, kMiB = 1024 * kKiB, kGiB = 1024 * kMiB;
constexpr std::uint64_t kBlock = 64 * kKiB;
constexpr double kStep = 0.000'2;

struct Read {
  std::uint64_t offset, length;
};

struct Reader {
  std::string name;
  std::uint64_t file_size;
  std::vector<Read> reads;
  double bytes_per_s;  ///< what it can consume
};

Reader sequential(std::string name, std::uint64_t size, std::uint64_t read_bytes, double speed) {
  Reader reader{std::move(name), size, {}, speed};
  for (std::uint64_t at = 0; at < read_bytes; at += 128 * kKiB) {
    reader.reads.push_back({at, std::min(128 * kKiB, read_bytes - at)});
  }
  return reader;
}

struct Outcome {
  double seconds = 0;
  double moved = 0;  ///< bytes moved, as a multiple of what was read
};

Outcome play(const Reader& reader, const LinkOptions& link_options,
             const prefetch::StreamOptions& options, std::uint64_t request_bytes) {
  const std::uint64_t blocks = (reader.file_size + kBlock - 1) / kBlock;
  std::vector<std::uint32_t> have(blocks);  // bytes of each block that came
  std::vector<bool> asked(blocks);
  LinkModel link(link_options, [&](std::uint64_t begin, std::uint64_t end) {
    while (begin < end) {
      const std::uint64_t block = begin / kBlock;
      const std::uint64_t stop = std::min(end, (block + 1) * kBlock);
      have[block] += static_cast<std::uint32_t>(stop - begin);
      begin = stop;
    }
  });
  const auto length_of = [&](std::uint64_t block) {
    return std::min(kBlock, reader.file_size - block * kBlock);
  };
  const auto ask = [&](std::uint64_t begin, std::uint64_t end, bool urgent) {
    std::uint64_t first = begin / kBlock;
    const std::uint64_t last = (end + kBlock - 1) / kBlock;
    while (first < last) {
      if (asked[first]) {
        ++first;
        continue;
      }
      std::uint64_t stop = first;
      while (stop < last && !asked[stop] && (stop - first) * kBlock < request_bytes) {
        asked[stop++] = true;
      }
      link.ask(first * kBlock, std::min(stop * kBlock, reader.file_size), urgent);
      first = stop;
    }
  };

  prefetch::StreamDetector detector(options, reader.file_size);
  double now = 0, busy_until = 0;
  std::uint64_t read_bytes = 0;
  for (const Read& read : reader.reads) {
    ask(read.offset, read.offset + read.length, true);
    if (const auto ahead = detector.on_read(read.offset, read.length)) {
      ask(ahead->begin, ahead->end, false);
    }
    const auto ready = [&] {
      for (std::uint64_t at = read.offset / kBlock; at * kBlock < read.offset + read.length; ++at) {
        if (have[at] < length_of(at)) return false;
      }
      return true;
    };
    while (now + kStep < busy_until || !ready()) {
      link.step(now, kStep);
      now += kStep;
    }
    busy_until = std::max(busy_until, now) + static_cast<double>(read.length) / reader.bytes_per_s;
    read_bytes += read.length;
  }
  const double seconds = busy_until;
  // What was asked for and not read still comes.
  for (double until = now + 10; now < until; now += kStep) link.step(now, kStep);
  return {seconds, static_cast<double>(link.bytes()) / static_cast<double>(read_bytes)};
}

struct Variant {
  std::string name;
  prefetch::StreamOptions stream;
  std::uint64_t request_bytes = 8 * kMiB;
  std::uint32_t connections = 16;
};

void table(const std::string& title, const std::vector<Variant>& variants,
           const std::vector<Reader>& readers, std::vector<LinkOptions> links) {
  fmt::print("\n{}\n{:32}", title, "");
  for (const Variant& variant : variants) fmt::print("{:>16}", variant.name);
  fmt::print("\n");
  for (const Reader& reader : readers) {
    for (LinkOptions& link : links) {
      fmt::print("{:25} {:3.0f} ms", reader.name, link.round_trip_s * 1000);
      for (const Variant& variant : variants) {
        link.connections = variant.connections;
        const Outcome outcome = play(reader, link, variant.stream, variant.request_bytes);
        fmt::print("   {:5.2f} s {:4.2f}x", outcome.seconds, outcome.moved);
      }
      fmt::print("\n");
    }
  }
}

void run() {
  const std::vector<LinkOptions> links{{.round_trip_s = 0.001},
                                       {.round_trip_s = 0.020},
                                       {.round_trip_s = 0.050},
                                       {.round_trip_s = 0.100}};
  const std::vector<LinkOptions> narrow{
      {.round_trip_s = 0.020, .connection_bytes_per_s = 20e6},
      {.round_trip_s = 0.050, .connection_bytes_per_s = 20e6},
      {.round_trip_s = 0.050, .stalls_per_gib = 8, .stall_s = 1.0},
  };
  const Reader all = sequential("1 GiB, all of it", kGiB, kGiB, 1.0e9);
  const std::vector<Reader> readers{
      all,
      sequential("1 GiB, the first 2 MiB", kGiB, 2 * kMiB, 1.0e9),
      sequential("1 GiB, the first 16 MiB", kGiB, 16 * kMiB, 1.0e9),
      sequential("1 GiB, the first 128 MiB", kGiB, 128 * kMiB, 1.0e9),
      sequential("64 MiB at 20 MB/s", 64 * kMiB, 64 * kMiB, 20e6),
  };
  std::vector<Variant> growth, width, first, bytes, connections;
  for (const std::uint32_t n : {1U, 2U, 4U, 8U}) {
    growth.push_back({fmt::format("x{}", n), {.growth = n}});
  }
  for (const std::uint64_t n : {32U, 64U, 128U, 256U}) {
    width.push_back({fmt::format("{} MiB", n), {.max_window = n * kMiB}});
  }
  for (const std::uint64_t n : {256U, 512U, 1024U, 2048U, 4096U}) {
    first.push_back({fmt::format("{} KiB", n), {.first_window = n * kKiB}});
  }
  for (const std::uint64_t n : {2U, 4U, 8U, 16U, 32U}) {
    bytes.push_back({fmt::format("{} MiB", n), {}, n * kMiB});
  }
  for (const std::uint32_t n : {4U, 8U, 16U, 32U, 64U}) {
    connections.push_back({fmt::format("{}", n), {}, 8 * kMiB, n});
  }
  fmt::print("Each cell: the reader's time; bytes moved as a multiple of the bytes read.\n");
  table("Growth: the window as a multiple of what was read", growth, readers, links);
  table("Greatest window (max-readahead)", width, readers, links);
  table("First window", first, readers, links);
  table("Bytes of a range request", bytes, {all}, links);
  table("Connections (max-connections)", connections, {all}, links);
  table("Connections where each carries 20 MB/s, and where one stalls 8 times per GiB", connections,
        {all}, narrow);
}

}  // namespace
}  // namespace lazyvol::bench

int main() {
  lazyvol::bench::run();
}
