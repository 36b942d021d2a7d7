#include "lazyvol/error.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <set>

namespace lazyvol {
namespace {

constexpr Code kLast = Code::out_of_memory;

Result<int> half(int number) {
  if (number % 2 != 0) return Error{Code::invalid_argument, "odd"};
  return number / 2;
}

Result<int> quarter(int number) {
  LAZYVOL_TRY_ASSIGN(const int once, half(number));
  LAZYVOL_TRY_ASSIGN(const int twice, half(once));
  return twice;
}

Status even(int number) {
  LAZYVOL_TRY(half(number));
  return {};
}

TEST(Error, EveryCodeHasAnErrnoAndANameOfItsOwn) {
  std::set<std::string_view> names;
  for (int i = 0; i <= static_cast<int>(kLast); ++i) {
    const auto code = static_cast<Code>(i);
    EXPECT_GT(to_errno(code), 0) << i;
    EXPECT_NE(to_string(code), "unknown") << i;
    EXPECT_TRUE(names.insert(to_string(code)).second) << to_string(code);
  }
  EXPECT_EQ(to_string(static_cast<Code>(static_cast<int>(kLast) + 1)), "unknown")
      << "a new code: raise kLast";
}

TEST(Error, ErrnoSurvivesTheRoundTrip) {
  for (const int number : {ENOENT, EACCES, ESTALE, ENOSPC, EINVAL, EEXIST, EBUSY, ENOTDIR, EISDIR,
                           ENAMETOOLONG, EFBIG, EROFS, ENOMEM, EINTR, EOPNOTSUPP, EIO}) {
    EXPECT_EQ(to_errno(errno_error(number, "x").code), number) << number;
  }
  EXPECT_EQ(errno_error(EXDEV, "x").code, Code::io_error) << "what is not in the table";
}

TEST(Error, SaysWhatWasTriedAndWhy) {
  const auto error = errno_error(ENOENT, "open /x").in("mount");
  EXPECT_EQ(error.message, "mount: open /x: No such file or directory");
  EXPECT_EQ(error.code, Code::not_found);
}

TEST(Error, ContextKeepsWhatTheOriginSaid) {
  Error error{Code::throttled, "slow down", std::chrono::milliseconds(7)};
  EXPECT_EQ(error.in("GET").retry_after, std::chrono::milliseconds(7));
}

TEST(Error, ProofsAreNotTransient) {
  for (const Code code : {Code::not_found, Code::access_denied, Code::stale, Code::cancelled,
                          Code::no_space, Code::invalid_argument}) {
    EXPECT_FALSE(is_transient(code)) << to_string(code);
  }
  for (const Code code :
       {Code::io_error, Code::timed_out, Code::unreachable, Code::throttled, Code::corrupt}) {
    EXPECT_TRUE(is_transient(code)) << to_string(code);
  }
}

TEST(Result, CarriesValuesAndErrorsThroughTry) {
  EXPECT_EQ(*quarter(8), 2);
  EXPECT_EQ(quarter(6).error().message, "odd");
  EXPECT_TRUE(even(2).ok());
  EXPECT_EQ(even(3).error().code, Code::invalid_argument);
}

TEST(Result, HoldsWhatCannotBeCopied) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(5);
  ASSERT_TRUE(result.ok());
  const std::unique_ptr<int> moved = *std::move(result);
  EXPECT_EQ(*moved, 5);
}

}  // namespace
}  // namespace lazyvol
