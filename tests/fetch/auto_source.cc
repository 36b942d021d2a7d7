#include "auto_source.h"

#include <atomic>

namespace lazyvol::fetch::testing {

/// One read under way; step() by one thread at a time.
class AutoSource::Read final : public Transfer {
 public:
  Read(ReadRequest request, std::shared_ptr<ReadSink> sink, RequestContext ctx,
       std::shared_ptr<const std::string> bytes, Behaviour behaviour)
      : request_(std::move(request)),
        sink_(std::move(sink)),
        ctx_(std::move(ctx)),
        bytes_(std::move(bytes)),
        behaviour_(std::move(behaviour)) {}

  void resume() override { paused_ = false; }

  /// Does the next small thing. False when the read has ended.
  bool step() {
    if (ctx_.stop.stop_requested()) return end(Error{Code::cancelled, "stopped"});
    if (behaviour_.black_hole || paused_) return true;
    if (!started_) return start();
    if (sent_ == length_) return end({});
    if (sent_ >= behaviour_.cut_after) return end(behaviour_.cut_with);
    const std::uint64_t n =
        std::min<std::uint64_t>({behaviour_.chunk, length_ - sent_, behaviour_.cut_after - sent_});
    std::string part = bytes_->substr(offset_ + sent_, n);
    if (behaviour_.flip - (offset_ + sent_) < n) part[behaviour_.flip - (offset_ + sent_)] ^= 1;
    sent_ += n;
    paused_ = true;  // before the call: a resume() meanwhile must not be lost
    const Flow flow = sink_->on_data(std::as_bytes(std::span(part)));
    return went(flow);
  }

 private:
  bool start() {
    if (behaviour_.refuse) return end(*behaviour_.refuse);
    started_ = true;
    const std::uint64_t size = std::min<std::uint64_t>(bytes_->size(), behaviour_.object_size);
    offset_ = behaviour_.whole ? 0 : std::min(request_.offset, size);
    length_ = behaviour_.whole ? size : std::min(request_.length, size - offset_);
    paused_ = true;
    return went(sink_->on_start({request_.validator, offset_, length_, size}));
  }
  bool went(Flow flow) {
    if (flow == Flow::abort) return end(Error{Code::cancelled, "aborted"});
    if (flow == Flow::proceed) paused_ = false;
    return true;
  }
  bool end(Status status) {
    std::exchange(sink_, nullptr)->on_done(std::move(status));
    return false;
  }

  const ReadRequest request_;
  std::shared_ptr<ReadSink> sink_;
  const RequestContext ctx_;
  const std::shared_ptr<const std::string> bytes_;
  const Behaviour behaviour_;
  bool started_ = false;
  std::uint64_t offset_ = 0, length_ = 0, sent_ = 0;
  std::atomic<bool> paused_{false};
};

AutoSource::AutoSource() : thread_([this] { run(); }) {}

AutoSource::~AutoSource() {
  close();
}

void AutoSource::close() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void AutoSource::put(const std::string& path, std::string bytes) {
  const std::lock_guard lock(mutex_);
  files_[path] = std::make_shared<const std::string>(std::move(bytes));
}

std::vector<ReadRequest> AutoSource::reads() {
  const std::lock_guard lock(mutex_);
  return asked_;
}

void AutoSource::list(std::string, std::string, RequestContext, ListDone done) {
  done(Error{Code::unsupported, "no listing here"});
}

void AutoSource::stat(std::string, RequestContext, StatDone done) {
  done(Error{Code::unsupported, "no attributes here"});
}

std::shared_ptr<Transfer> AutoSource::read(ReadRequest request, std::shared_ptr<ReadSink> sink,
                                           RequestContext ctx) {
  std::shared_ptr<Read> read;
  bool inline_answer = false;
  {
    const std::lock_guard lock(mutex_);
    Behaviour behaviour = script ? script(request) : Behaviour{};
    inline_answer = behaviour.inline_answer;
    asked_.push_back(request);
    const auto file = files_.find(request.path);
    auto bytes = file == files_.end() ? std::make_shared<const std::string>() : file->second;
    if (file == files_.end()) behaviour.refuse = Error{Code::not_found, "404"};
    read = std::make_shared<Read>(std::move(request), std::move(sink), std::move(ctx),
                                  std::move(bytes), std::move(behaviour));
    if (!inline_answer) reads_.push_back(read);
  }
  if (inline_answer) {
    while (read->step()) std::this_thread::yield();
  } else {
    changed_.notify_all();
  }
  return read;
}

void AutoSource::run() {
  std::unique_lock lock(mutex_);
  while (!closing_) {
    if (reads_.empty()) {
      changed_.wait(lock);
      continue;
    }
    auto read = std::move(reads_.front());
    reads_.pop_front();
    lock.unlock();
    const bool more = read->step();
    lock.lock();
    if (more) reads_.push_back(std::move(read));
  }
}

}  // namespace lazyvol::fetch::testing
