// One range of an LFS object over HTTP.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "git/lfs_batch.h"
#include "lazyvol/source.h"
#include "net/http_engine.h"
#include "source/forwarding_transfer.h"

namespace lazyvol::git {

/// Reads as Source::read says: 206 with exactly the range, or 200 and the whole object. One
/// attempt.
class LfsRead final : public net::HttpSink, public std::enable_shared_from_this<LfsRead> {
 public:
  /// Told in place of sink->on_done() when the server takes the request for none that it allows
  /// (400, 401, 403, 404, 410): the action may have ended.
  using Refused = std::function<void(Error)>;

  /// `request` ends within the object, whose size is `size`; `identity` is of whoever may be told
  /// to the URL's server beside the action's own fields.
  LfsRead(LfsAction action, std::shared_ptr<const net::HttpIdentity> identity,
          const ReadRequest& request, std::uint64_t size, std::shared_ptr<ReadSink> sink,
          Refused refused);
  /// Sends it; `transfer` becomes its own.
  void start(net::HttpEngine& engine, const RequestContext& ctx,
             const std::shared_ptr<source::ForwardingTransfer>& transfer);

  Flow on_head(const net::HttpHead& head) override;
  Flow on_data(std::span<const std::byte> data) override;
  void on_done(Status status) override;

 private:
  Result<ReadStart> check(const net::HttpHead& head) const;
  std::string what() const;

  const LfsAction action_;
  const std::shared_ptr<const net::HttpIdentity> identity_;
  const std::uint64_t offset_, length_, size_;
  const std::shared_ptr<ReadSink> sink_;
  const Refused refused_;
  std::optional<Error> error_;
  bool is_refused_ = false;
  std::uint64_t promised_ = 0, received_ = 0;
};

}  // namespace lazyvol::git
