// Errors as values. Nothing in lazyvol throws across a module boundary: a call that can fail
// returns Result<T> (or Status, when there is nothing to return).
//
// Thread rule: these are plain values; share them as you would share an int.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace lazyvol {

/// What went wrong, as far as a caller may act on it. The text for people is Error::message.
enum class Code : std::uint8_t {
  not_found,         ///< the name is known not to exist (absence was proved, not guessed)
  access_denied,     ///< the origin or the local system refuses these credentials
  stale,             ///< the bytes asked for belong to a version that no longer exists
  io_error,          ///< the origin or a disk failed, and trying again may help
  timed_out,         ///< no progress within the deadline
  unreachable,       ///< the origin could not be reached: no route, refused, no such host
  throttled,         ///< the origin asks for patience (429, 503); see Error::retry_after
  cancelled,         ///< nobody waits for the answer any more
  corrupt,           ///< bytes arrived or were stored, and they are not what they claim to be
  no_space,          ///< the local disk or a configured limit is full
  unsupported,       ///< this source, server or kernel cannot do it
  invalid_argument,  ///< a value given by the user or the caller makes no sense
  already_exists,
  busy,  ///< in use: a mountpoint, a cache directory
  not_directory,
  is_directory,
  name_too_long,
  too_large,  ///< more than a stated limit allows
  read_only,
  out_of_memory,
};

/// The name of `code` in lower case, for logs and JSON. Never empty, static storage.
std::string_view to_string(Code code) noexcept;

/// The errno (positive, never 0) that a system call reports for `code`.
int to_errno(Code code) noexcept;

/// True when the same call may succeed later without anybody changing anything.
bool is_transient(Code code) noexcept;

/// A failure: a code for the program, one line for people.
struct Error {
  Code code = Code::io_error;
  std::string message;
  /// Set when the origin said how long to wait (Retry-After).
  std::optional<std::chrono::milliseconds> retry_after = std::nullopt;

  /// The same error with "context: " put before its message.
  [[nodiscard]] Error in(std::string_view context) const;
};

/// Translates a value of errno; `what` names the operation and the thing ("open /x").
Error errno_error(int errnum, std::string_view what);

/// A T or an Error. Reading the wrong one is a programming error and ends the process.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit

  bool ok() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return ok(); }

  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  Error& error() & { return std::get<1>(state_); }
  const Error& error() const& { return std::get<1>(state_); }
  Error&& error() && { return std::get<1>(std::move(state_)); }

 private:
  std::variant<T, Error> state_;
};

/// Success, or an Error.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT: implicit on purpose

  bool ok() const noexcept { return !error_.has_value(); }
  explicit operator bool() const noexcept { return ok(); }
  Error& error() & { return error_.value(); }
  const Error& error() const& { return error_.value(); }
  Error&& error() && { return std::move(error_).value(); }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

}  // namespace lazyvol

/// Returns the error of `expr` from the enclosing function, if it has one.
#define LAZYVOL_TRY(expr)                                           \
  do {                                                              \
    if (auto lazyvol_try_status = (expr); !lazyvol_try_status.ok()) \
      return std::move(lazyvol_try_status).error();                 \
  } while (false)

#define LAZYVOL_CONCAT_INNER(a, b) a##b
#define LAZYVOL_CONCAT(a, b) LAZYVOL_CONCAT_INNER(a, b)

/// Declares `decl` from the value of `expr`, or returns its error from the enclosing function:
/// `LAZYVOL_TRY_ASSIGN(auto size, parse_size(text));`
#define LAZYVOL_TRY_ASSIGN(decl, expr) \
  LAZYVOL_TRY_ASSIGN_INNER(LAZYVOL_CONCAT(lazyvol_try_, __LINE__), decl, expr)
#define LAZYVOL_TRY_ASSIGN_INNER(tmp, decl, expr) \
  auto tmp = (expr);                              \
  if (!tmp.ok()) return std::move(tmp).error();   \
  decl = *std::move(tmp)
