// Loopback throughput of the HTTP engine beside curl(1), from one nginx in one run.
//
// 1 GiB is fetched per iteration; the engine takes it in 8 MiB ranges, 4 in flight, and drops it.
// Compare ratios within a run: the server shares the processors.
#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include <condition_variable>
#include <filesystem>
#include <mutex>

#include "net/http_engine.h"
#include "support/servers.h"
#include "support/temp_dir.h"

namespace lazyvol::net {
namespace {

constexpr std::uint64_t kTotal = 1ULL << 30;
constexpr std::uint64_t kRange = 8ULL << 20;
constexpr int kInFlight = 4;

/// One nginx per kind of connection, for all benchmarks.
struct Origin {
  explicit Origin(bool tls) {
    const auto path = root.path() / "big";
    testing::write_file(path, "");
    std::filesystem::resize_file(path, kTotal);  // sparse: the page cache serves it all the same
    testing::NginxOptions options;
    options.tls = tls;
    nginx.emplace(root.path(), options);
  }
  std::string url() const { return nginx->url() + "big"; }

  testing::TempDir root;
  std::optional<testing::Nginx> nginx;
};

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// Keeps kInFlight ranges under way until the file is through.
class Fetch {
 public:
  Fetch(HttpEngine& engine, const Origin& origin, std::uint64_t range)
      : engine_(engine), range_(range) {
    request_.url = origin.url();
    HttpIdentity identity;
    identity.ca_cert_path = origin.nginx->ca_path();
    request_.identity = std::make_shared<const HttpIdentity>(identity);
  }

  /// False when any request failed.
  bool run() {
    for (int i = 0; i < kInFlight; ++i) submit_next();
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return done_ == kTotal / range_; });
    return !failed_;
  }

 private:
  struct Sink final : HttpSink {
    explicit Sink(Fetch& f) : fetch(f) {}
    Flow on_head(const HttpHead& head) override {
      return head.status == 206 ? Flow::proceed : Flow::abort;
    }
    Flow on_data(std::span<const std::byte> data) override {
      benchmark::DoNotOptimize(data.data());
      return Flow::proceed;
    }
    void on_done(Status status) override {
      fetch.submit_next();
      const std::lock_guard lock(fetch.mutex_);
      fetch.failed_ |= !status.ok();
      ++fetch.done_;
      fetch.changed_.notify_all();
    }
    Fetch& fetch;
  };

  void submit_next() {
    HttpRequest request = request_;
    {
      const std::lock_guard lock(mutex_);
      if (next_ == kTotal) return;
      request.range = {next_, range_};
      next_ += range_;
    }
    (void)engine_.submit(std::move(request), std::make_shared<Sink>(*this));
  }

  HttpEngine& engine_;
  const std::uint64_t range_;
  HttpRequest request_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t next_ = 0, done_ = 0;
  bool failed_ = false;
};

void run_engine(benchmark::State& state, bool tls, std::uint64_t range) {
  const Origin origin(tls);
  HttpEngine engine{HttpEngineOptions{}};
  const double before = cpu_seconds();
  for (auto _ : state) {
    if (!Fetch(engine, origin, range).run()) state.SkipWithError("a request failed");
  }
  const double gigabytes = static_cast<double>(state.iterations()) * kTotal * 1e-9;
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * kTotal));
  state.counters["cpu_s_per_GB"] = (cpu_seconds() - before) / gigabytes;
}

void run_curl(benchmark::State& state, bool tls, const char* version) {
  const Origin origin(tls);
  for (auto _ : state) {
    std::vector<std::string> argv = {"curl", "-sSf", version, "-o", "/dev/null"};
    if (tls) argv.insert(argv.end(), {"--cacert", origin.nginx->ca_path()});
    argv.push_back(origin.url());
    if (testing::run(argv).status != 0) state.SkipWithError("curl failed");
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * kTotal));
}

void Engine(benchmark::State& state) {
  run_engine(state, false, kRange);
}
void Curl(benchmark::State& state) {
  run_curl(state, false, "--http1.1");
}
void EngineSmallRanges(benchmark::State& state) {
  run_engine(state, false, 256 * 1024);
}
void EngineTls(benchmark::State& state) {
  run_engine(state, true, kRange);
}
void CurlTls(benchmark::State& state) {
  run_curl(state, true, "--http1.1");
}
void EngineHttp2(benchmark::State& state) {
  run_engine(state, true, 512 * 1024);
}
void CurlHttp2(benchmark::State& state) {
  run_curl(state, true, "--http2");
}

BENCHMARK(Engine)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(Curl)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(EngineSmallRanges)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(EngineTls)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(CurlTls)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(EngineHttp2)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(CurlHttp2)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace lazyvol::net

BENCHMARK_MAIN();
