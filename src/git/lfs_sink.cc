#include "git/lfs_sink.h"

#include <fmt/core.h>

#include <utility>

#include "catalog/digest.h"
#include "git/cat_file.h"
#include "git/lfs_batch.h"

namespace lazyvol::git {
namespace {

bool is_whole(const ReadRequest& request, std::uint64_t size) {
  return request.offset == 0 && request.length >= size && size <= kMaxInMemory;
}

}  // namespace

LfsSink::LfsSink(std::string name, LfsPlace place, const ReadRequest& request,
                 std::shared_ptr<ReadSink> sink)
    : name_(std::move(name)),
      place_(std::move(place)),
      sink_(std::move(sink)),
      held_(is_whole(request, place_.object.size)) {}

Flow LfsSink::on_start(const ReadStart& start) {
  if (start.total_size != place_.object.size) {
    error_ = hopeless(fmt::format("{}: the object has {} bytes, its pointer says {}", name_,
                                  start.total_size, place_.object.size));
    return Flow::abort;
  }
  start_ = start;
  start_.validator = name_;
  return held_ ? Flow::proceed : sink_->on_start(start_);
}

Flow LfsSink::on_data(std::span<const std::byte> data) {
  if (!held_) return sink_->on_data(data);
  bytes_.append(reinterpret_cast<const char*>(data.data()), data.size());
  return Flow::proceed;
}

Status LfsSink::verify() const {
  if (catalog::sha256(bytes_).hex() == place_.object.oid) return {};
  return Error{Code::corrupt, name_ + ": the object has another SHA-256 than its name"};
}

void LfsSink::on_done(Status status) {
  if (error_) status = *error_;
  if (held_ && status.ok()) {
    status = verify();
    if (status.ok() && sink_->on_start(start_) == Flow::abort) {
      status = Error{Code::cancelled, "the reader gave up"};
    }
    if (status.ok() && sink_->on_data(std::as_bytes(std::span(bytes_))) == Flow::abort) {
      status = Error{Code::cancelled, "the reader gave up"};
    }
  }
  const bool ended = !status.ok() && (status.error().code == Code::access_denied ||
                                      status.error().code == Code::cancelled);
  if (!status.ok() && !ended && !is_transient(status.error().code)) {
    status = hopeless(std::move(status).error().message);
  }
  sink_->on_done(std::move(status));
}

}  // namespace lazyvol::git
