#include "publish/frame_pipe.h"

#include <functional>
#include <utility>

#include "base/clock.h"

namespace lazyvol::publish {

FramePipe::FramePipe(Store& store, State& state, FramePlaces& places, const Limits& limits,
                     int level, unsigned threads, Progress& progress)
    : state_(state),
      places_(places),
      limits_(limits),
      level_(level),
      progress_(progress),
      pack_(store, catalog::PackKind::data, limits),
      workers_("lv-compress", threads),
      writer_([this] {
        base::name_this_thread("lv-write-packs");
        write();
      }) {}

FramePipe::~FramePipe() {
  queue_.lock()->stopping = true;
  changed_.notify_all();
  workers_.stop();
  writer_.join();
}

Status FramePipe::submit(Bundle bundle) {
  const auto job = std::make_shared<Job>();
  job->bundle = std::move(bundle);
  job->bytes = job->bundle.raw.size();
  LAZYVOL_TRY(wait([&](const Queue& queue) {
    return queue.bytes == 0 || queue.bytes + job->bytes <= limits_.compressing_bytes;
  }));
  {
    const auto queue = queue_.lock();
    queue->bytes += job->bytes;
    queue->jobs.push_back(job);
  }
  workers_.submit([this, job] { compress(*job); });
  return {};
}

Status FramePipe::finish() {
  queue_.lock()->last_was_submitted = true;
  changed_.notify_all();
  return wait([](const Queue& queue) { return queue.finished; });
}

Status FramePipe::wait(const std::function<bool(const Queue&)>& until) {
  auto queue = queue_.lock();
  while (!queue->failure && !until(*queue)) {
    changed_.wait_for(queue.native(), Progress::kInterval);
    queue.unlock();
    progress_.tick();
    LAZYVOL_TRY(progress_.check());
    queue = queue_.lock();
  }
  if (queue->failure) return *queue->failure;
  return {};
}

void FramePipe::compress(Job& job) {
  if (queue_.lock()->stopping) return;
  auto frame = catalog::encode_frame(job.bundle.raw, level_);
  const auto queue = queue_.lock();
  job.bundle.raw = {};
  job.frame = std::move(frame);
  changed_.notify_all();
}

void FramePipe::write() {
  auto queue = queue_.lock();
  while (true) {
    changed_.wait(queue.native(), [&] {
      return queue->stopping || (queue->jobs.empty() ? queue->last_was_submitted
                                                     : queue->jobs.front()->frame.has_value());
    });
    if (queue->stopping) return;
    Status status;
    if (queue->jobs.empty()) {
      queue.unlock();
      if (pack_.is_open()) status = close_pack();
      queue = queue_.lock();
      queue->finished = true;
    } else {
      const auto job = queue->jobs.front();
      queue.unlock();
      status = write_one(*job);
      queue = queue_.lock();
      queue->jobs.pop_front();
      queue->bytes -= job->bytes;
    }
    changed_.notify_all();
    if (!status.ok()) queue->failure = status.error();
    if (!status.ok() || queue->finished) return;
  }
}

Status FramePipe::write_one(Job& job) {
  if (!job.frame->ok()) return job.frame->error();
  const catalog::EncodedFrame& frame = **job.frame;
  LAZYVOL_TRY(pack_.add(frame));
  progress_.bytes_stored.fetch_add(frame.bytes.size(), std::memory_order_relaxed);
  frames_.push_back(job.bundle.frame);
  chunks_.push_back(std::move(job.bundle.chunks));
  return pack_.is_full() ? close_pack() : Status();
}

Status FramePipe::close_pack() {
  LAZYVOL_TRY_ASSIGN(const StoredPack pack, pack_.close());
  for (std::size_t i = 0; i < frames_.size(); ++i) places_.place(frames_[i], pack.frames[i]);
  LAZYVOL_TRY(state_.record(pack, chunks_, base::system_clock().wall_ns()));
  ++packs_;
  bytes_ += pack.bytes;
  recorded_ += frames_.size();
  frames_.clear();
  chunks_.clear();
  return {};
}

}  // namespace lazyvol::publish
