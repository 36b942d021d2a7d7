#include "manual_source.h"

#include <gtest/gtest.h>

#include <chrono>

namespace lazyvol::fetch::testing {
namespace {

constexpr std::chrono::seconds kGenerous{30};

}  // namespace

ManualSource::Read::Read(ReadRequest r, std::shared_ptr<ReadSink> sink, RequestContext c,
                         std::shared_ptr<const std::string> bytes)
    : request(std::move(r)),
      context(std::move(c)),
      sink_(std::move(sink)),
      bytes_(std::move(bytes)),
      position_(request.offset) {}

Flow ManualSource::Read::start() {
  return start(ReadStart{request.validator, request.offset, request.length, bytes_->size()});
}

Flow ManualSource::Read::start(const ReadStart& start) {
  const std::lock_guard lock(mutex_);
  position_ = start.offset;
  return sink_ ? sink_->on_start(start) : Flow::abort;
}

Flow ManualSource::Read::send(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  if (!sink_) return Flow::abort;
  const auto part = std::string_view(*bytes_).substr(position_, bytes);
  position_ += part.size();
  return sink_->on_data(std::as_bytes(std::span(part)));
}

void ManualSource::Read::serve() {
  start();
  send(request.length);
  done();
}

void ManualSource::Read::done(Status status) {
  const std::lock_guard lock(mutex_);
  if (auto sink = std::exchange(sink_, nullptr)) sink->on_done(std::move(status));
}

void ManualSource::Read::progress() {
  const std::lock_guard lock(mutex_);
  if (sink_) sink_->on_progress();
}

bool ManualSource::Read::ended() const {
  const std::lock_guard lock(mutex_);
  return sink_ == nullptr;
}

void ManualSource::Read::resume() {
  const std::lock_guard lock(mutex_);
  ++resumes_;
  changed_.notify_all();
}

void ManualSource::Read::await_resumes(int count) {
  std::unique_lock lock(mutex_);
  if (!changed_.wait_for(lock, kGenerous, [&] { return resumes_ >= count; })) {
    ADD_FAILURE() << "the transfer was not resumed";
  }
}

ManualSource::ManualSource() : canceller_([this] { end_stopped(); }) {}

ManualSource::~ManualSource() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  changed_.notify_all();
  canceller_.join();
}

void ManualSource::put(const std::string& path, std::string bytes) {
  const std::lock_guard lock(mutex_);
  files_[path] = std::make_shared<const std::string>(std::move(bytes));
}

std::shared_ptr<ManualSource::Read> ManualSource::next() {
  std::unique_lock lock(mutex_);
  if (!changed_.wait_for(lock, kGenerous, [&] { return !waiting_.empty(); })) {
    ADD_FAILURE() << "no request came";
    std::abort();
  }
  auto read = waiting_.front();
  waiting_.pop_front();
  return read;
}

bool ManualSource::none() const {
  const std::lock_guard lock(mutex_);
  return waiting_.empty();
}

std::size_t ManualSource::reads() const {
  const std::lock_guard lock(mutex_);
  return all_.size();
}

void ManualSource::list(std::string, std::string, RequestContext, ListDone done) {
  done(Error{Code::unsupported, "no listing here"});
}

void ManualSource::stat(std::string, RequestContext, StatDone done) {
  done(Error{Code::unsupported, "no attributes here"});
}

std::shared_ptr<Transfer> ManualSource::read(ReadRequest request, std::shared_ptr<ReadSink> sink,
                                             RequestContext ctx) {
  const std::lock_guard lock(mutex_);
  auto bytes = files_.at(request.path);
  auto read =
      std::make_shared<Read>(std::move(request), std::move(sink), std::move(ctx), std::move(bytes));
  waiting_.push_back(read);
  all_.push_back(read);
  changed_.notify_all();
  return read;
}

void ManualSource::end_stopped() {
  std::unique_lock lock(mutex_);
  while (!closing_) {
    changed_.wait_for(lock, std::chrono::milliseconds(1));
    const auto reads = all_;
    lock.unlock();
    for (const auto& read : reads) {
      if (read->stopped()) read->done(Error{Code::cancelled, "stopped"});
    }
    lock.lock();
  }
}

}  // namespace lazyvol::fetch::testing
