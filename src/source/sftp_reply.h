// Taking apart what a server answered.
#pragma once

#include <string>
#include <utility>
#include <variant>

#include "lazyvol/error.h"
#include "source/sftp_attributes.h"
#include "source/sftp_wire.h"

namespace lazyvol::source {

/// The part of a reply that was expected, or the error that came in its place; `what` names
/// operation and thing.
template <class T>
Result<T> expect_sftp(Result<SftpReply> reply, const std::string& what) {
  if (!reply.ok()) return std::move(reply).error();
  if (auto* body = std::get_if<T>(&reply->body)) return std::move(*body);
  const auto* status = std::get_if<SftpStatus>(&reply->body);
  if (status == nullptr) return Error{Code::corrupt, what + ": the server answered another thing"};
  return sftp_error(status->code, what);
}

inline bool is_sftp_status(const Result<SftpReply>& reply, SftpStatusCode code) {
  const auto* status = reply.ok() ? std::get_if<SftpStatus>(&reply->body) : nullptr;
  return status != nullptr && status->code == code;
}

}  // namespace lazyvol::source
