#include "lazyvol/error.h"

#include <cerrno>
#include <system_error>

namespace lazyvol {

std::string_view to_string(Code code) noexcept {
  switch (code) {
    case Code::not_found:
      return "not_found";
    case Code::access_denied:
      return "access_denied";
    case Code::stale:
      return "stale";
    case Code::io_error:
      return "io_error";
    case Code::timed_out:
      return "timed_out";
    case Code::unreachable:
      return "unreachable";
    case Code::throttled:
      return "throttled";
    case Code::cancelled:
      return "cancelled";
    case Code::corrupt:
      return "corrupt";
    case Code::no_space:
      return "no_space";
    case Code::unsupported:
      return "unsupported";
    case Code::invalid_argument:
      return "invalid_argument";
    case Code::already_exists:
      return "already_exists";
    case Code::busy:
      return "busy";
    case Code::not_directory:
      return "not_directory";
    case Code::is_directory:
      return "is_directory";
    case Code::name_too_long:
      return "name_too_long";
    case Code::too_large:
      return "too_large";
    case Code::read_only:
      return "read_only";
    case Code::out_of_memory:
      return "out_of_memory";
  }
  return "unknown";
}

int to_errno(Code code) noexcept {
  switch (code) {
    case Code::not_found:
      return ENOENT;
    case Code::access_denied:
      return EACCES;
    case Code::stale:
      return ESTALE;
    case Code::io_error:
    case Code::timed_out:
    case Code::unreachable:
    case Code::throttled:
    case Code::corrupt:
      return EIO;
    case Code::cancelled:
      return EINTR;
    case Code::no_space:
      return ENOSPC;
    case Code::unsupported:
      return EOPNOTSUPP;
    case Code::invalid_argument:
      return EINVAL;
    case Code::already_exists:
      return EEXIST;
    case Code::busy:
      return EBUSY;
    case Code::not_directory:
      return ENOTDIR;
    case Code::is_directory:
      return EISDIR;
    case Code::name_too_long:
      return ENAMETOOLONG;
    case Code::too_large:
      return EFBIG;
    case Code::read_only:
      return EROFS;
    case Code::out_of_memory:
      return ENOMEM;
  }
  return EIO;
}

bool is_transient(Code code) noexcept {
  switch (code) {
    case Code::io_error:
    case Code::timed_out:
    case Code::unreachable:
    case Code::throttled:
    case Code::corrupt:
      return true;
    default:
      return false;
  }
}

Error Error::in(std::string_view context) const {
  Error result = *this;
  result.message = std::string(context) + ": " + message;
  return result;
}

namespace {

Code code_of_errno(int errnum) noexcept {
  switch (errnum) {
    case ENOENT:
      return Code::not_found;
    case EACCES:
    case EPERM:
      return Code::access_denied;
    case ESTALE:
      return Code::stale;
    case ETIMEDOUT:
      return Code::timed_out;
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ECONNREFUSED:
      return Code::unreachable;
    case EINTR:
    case ECANCELED:
      return Code::cancelled;
    case ENOSPC:
    case EDQUOT:
      return Code::no_space;
    case EOPNOTSUPP:
    case ENOSYS:
      return Code::unsupported;
    case EINVAL:
      return Code::invalid_argument;
    case EEXIST:
      return Code::already_exists;
    case EBUSY:
      return Code::busy;
    case ENOTDIR:
      return Code::not_directory;
    case EISDIR:
      return Code::is_directory;
    case ENAMETOOLONG:
      return Code::name_too_long;
    case EFBIG:
      return Code::too_large;
    case EROFS:
      return Code::read_only;
    case ENOMEM:
      return Code::out_of_memory;
    default:
      return Code::io_error;
  }
}

}  // namespace

Error errno_error(int errnum, std::string_view what) {
  return Error{code_of_errno(errnum),
               std::string(what) + ": " + std::generic_category().message(errnum)};
}

}  // namespace lazyvol
