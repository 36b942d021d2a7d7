#include "fuse/call.h"

#include <cerrno>
#include <utility>

#include "fuse/convert.h"
#include "fuse/passthrough_wire.h"

namespace lazyvol::fuse {
namespace {

constexpr std::size_t kBuffersKept = 16;
constexpr std::size_t kSmallBytes = 64 * 1024;

}  // namespace

void CallContext::wait_idle() {
  auto active = active_.lock();
  idle_.wait(active.native(), [&] { return *active == 0; });
}

std::unique_ptr<std::byte[]> CallContext::take_buffer() {
  {
    auto buffers = buffers_.lock();
    if (!buffers->empty()) {
      auto buffer = std::move(buffers->back());
      buffers->pop_back();
      return buffer;
    }
  }
  return std::make_unique_for_overwrite<std::byte[]>(kBufferBytes);
}

void CallContext::give_buffer(std::unique_ptr<std::byte[]> buffer) {
  auto buffers = buffers_.lock();
  if (buffers->size() < kBuffersKept) buffers->push_back(std::move(buffer));
}

Call::Call(CallContext& shared, fuse_req_t request)
    : shared_(shared),
      request_(request),
      pid_(static_cast<std::uint32_t>(fuse_req_ctx(request)->pid)) {
  shared_.requests.fetch_add(1, std::memory_order_relaxed);
  ++*shared_.active_.lock();
}

std::shared_ptr<Call> Call::begin(CallContext& shared, fuse_req_t request) {
  std::shared_ptr<Call> call(new Call(shared, request));
  // Registered last: an interrupt that came before runs on_interrupt here.
  fuse_req_interrupt_func(request, &Call::on_interrupt, call.get());
  return call;
}

Call::~Call() {
  if (request_ != nullptr) reply_errno(EIO);
  if (pooled_ != nullptr) shared_.give_buffer(std::move(pooled_));
  auto active = shared_.active_.lock();
  // Notified under the lock: the waiter may destroy the context as soon as it sees zero.
  if (--*active == 0) shared_.idle_.notify_all();
}

void Call::on_interrupt(fuse_req_t, void* self) {
  // libfuse holds the request's lock here, and stopping may answer the request, which takes that
  // lock: so another thread does it.
  auto call = static_cast<Call*>(self)->weak_from_this().lock();
  if (call == nullptr) return;  // being dropped unanswered: ~Call waits for us and answers
  CallContext& shared = call->shared_;
  shared.interrupted.fetch_add(1, std::memory_order_relaxed);
  shared.interrupts_.submit([call = std::move(call)] { call->stop_.request_stop(); });
}

fuse_req_t Call::take() {
  fuse_req_t request = std::exchange(request_, nullptr);
  // Waits for a running on_interrupt; none can start after this.
  fuse_req_interrupt_func(request, nullptr, nullptr);
  return request;
}

RequestContext Call::context(Priority priority, Cause cause) const {
  RequestContext context;
  context.priority = priority;
  context.cause = cause;
  context.pid = pid_;
  context.stop = stop_.get_token();
  return context;
}

void Call::reply_errno(int errnum) {
  shared_.errors.fetch_add(1, std::memory_order_relaxed);
  fuse_reply_err(take(), errnum);
}

void Call::reply_error(const Error& error) {
  reply_errno(to_errno(error.code));
}

void Call::reply_entry(const fuse_entry_param& entry) {
  fuse_reply_entry(take(), &entry);
}

void Call::reply_attributes(const Node& node) {
  const struct stat attributes = to_stat(node.attributes);
  fuse_reply_attr(take(), &attributes, to_seconds(node.attribute_ttl));
}

void Call::reply_link(const std::string& target) {
  fuse_reply_readlink(take(), target.c_str());
}

void Call::reply_bytes(std::span<const std::byte> bytes) {
  fuse_reply_buf(take(), reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

void Call::reply_xattr_size(std::size_t size) {
  fuse_reply_xattr(take(), size);
}

void Call::reply_statfs(const struct statvfs& statfs) {
  fuse_reply_statfs(take(), &statfs);
}

bool Call::reply_open(const fuse_file_info& info) {
  return fuse_reply_open(take(), &info) != -ENOENT;
}

bool Call::reply_open(std::uint64_t handle, int backing_id) {
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 17)
  fuse_file_info info{};
  info.fh = handle;
  info.noflush = 1;
  info.backing_id = backing_id;
  return fuse_reply_open(take(), &info) != -ENOENT;
#else
  const auto out = wire::open_reply(handle, backing_id);
  return fuse_reply_buf(take(), reinterpret_cast<const char*>(out.data()), out.size()) != -ENOENT;
#endif
}

std::span<std::byte> Call::buffer(std::size_t size) {
  if (size <= kSmallBytes || size > CallContext::kBufferBytes) {
    small_.resize(size);
    return small_;
  }
  if (pooled_ == nullptr) pooled_ = shared_.take_buffer();
  return {pooled_.get(), size};
}

}  // namespace lazyvol::fuse
