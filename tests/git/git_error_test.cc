#include "git/git_error.h"

#include <gtest/gtest.h>

#include <string>

namespace lazyvol::git {
namespace {

struct Case {
  const char* errors;
  Code code;
  const char* message;
};

TEST(GitError, LastTellingLineDecides) {
  const Case cases[] = {
      {"fatal: could not read Username for 'https://h': terminal prompts disabled\n",
       Code::access_denied,
       "git fetch: could not read Username for 'https://h': terminal prompts disabled"},
      {"remote: x\nfatal: repository 'http://h/r/' not found\n", Code::not_found,
       "git fetch: repository 'http://h/r/' not found"},
      {"ERROR: Repository not found.\nfatal: Could not read from remote repository.\n\nPlease make "
       "sure you have the correct access rights\nand the repository exists.\n",
       Code::not_found, "git fetch: Repository not found."},
      {"fatal: unable to access 'http://h/': Failed to connect to h port 1 after 0 ms: Couldn't "
       "connect to server\n",
       Code::unreachable,
       "git fetch: unable to access 'http://h/': Failed to connect to h port 1 after 0 ms: "
       "Couldn't connect to server"},
      {"root@h: Permission denied (publickey).\r\nfatal: Could not read from remote repository.\n",
       Code::access_denied, "git fetch: root@h: Permission denied (publickey)."},
      {"Receiving objects:  10% (1/10)\rerror: write: No space left on device\n", Code::no_space,
       "git fetch: write: No space left on device"},
      {"", Code::io_error, "git fetch: git failed without a word"},
      {"fatal: strange\x01thing\n", Code::io_error, "git fetch: strange?thing"},
  };
  for (const Case& one : cases) {
    const Error error = git_error("git fetch", one.errors);
    EXPECT_EQ(error.code, one.code) << one.errors;
    EXPECT_EQ(error.message, one.message);
  }
}

TEST(GitError, ShowsNoUserInformation) {
  const Error error =
      git_error("git", "fatal: unable to access 'https://me:secret@h/r': https://a@b/ failed\n");
  EXPECT_EQ(error.message, "git: unable to access 'https://h/r': https://b/ failed");
}

TEST(GitError, IsOneShortLine) {
  const Error error = git_error("git", "fatal: " + std::string(10'000, 'x'));
  EXPECT_LT(error.message.size(), 400U);
}

}  // namespace
}  // namespace lazyvol::git
