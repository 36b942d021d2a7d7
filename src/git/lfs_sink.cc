#include "git/lfs_sink.h"

#include <fmt/core.h>

#include <utility>

#include "catalog/digest.h"
#include "git/lfs_batch.h"

namespace lazyvol::git {

LfsSink::LfsSink(std::string name, LfsPlace place, const ReadRequest& request,
                 std::shared_ptr<ReadSink> sink, Deliver deliver)
    : name_(std::move(name)),
      place_(std::move(place)),
      offset_(request.offset),
      length_(request.length),
      sink_(std::move(sink)),
      deliver_(std::move(deliver)) {}

ReadRequest LfsSink::request() const {
  return held() ? ReadRequest{"", "", 0, place_.object.size}
                : ReadRequest{"", "", offset_, length_};
}

Flow LfsSink::on_start(const ReadStart& start) {
  if (start.total_size != place_.object.size) {
    error_ = hopeless(fmt::format("{}: the object has {} bytes, its pointer says {}", name_,
                                  start.total_size, place_.object.size));
    return Flow::abort;
  }
  if (held()) return Flow::proceed;
  ReadStart shown = start;
  shown.validator = name_;
  return sink_->on_start(shown);
}

Flow LfsSink::on_data(std::span<const std::byte> data) {
  if (!held()) return sink_->on_data(data);
  bytes_.append(reinterpret_cast<const char*>(data.data()), data.size());
  return Flow::proceed;
}

Status LfsSink::verify() const {
  if (catalog::sha256(bytes_).hex() == place_.object.oid) return {};
  return Error{Code::corrupt, name_ + ": the object has another SHA-256 than its name"};
}

void LfsSink::on_done(Status status) {
  const auto sink = std::exchange(sink_, nullptr);
  const auto deliver = std::exchange(deliver_, nullptr);
  if (error_) status = *error_;
  if (held() && status.ok()) status = verify();
  if (held() && status.ok()) return deliver(std::move(bytes_));
  const bool ended = !status.ok() && (status.error().code == Code::access_denied ||
                                      status.error().code == Code::cancelled);
  if (!status.ok() && !ended && !is_transient(status.error().code)) {
    status = hopeless(std::move(status).error().message);
  }
  sink->on_done(std::move(status));
}

}  // namespace lazyvol::git
