// Command lines run in-process: what they print and how they end. Nothing here mounts.
#include "daemon/cli.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "daemon/cli_parse.h"
#include "daemon/cli_run.h"
#include "daemon/golden.h"
#include "model/options.h"
#include "support/temp_dir.h"

namespace lazyvol::daemon {
namespace {

/// With a runtime directory of its own, so that no real daemon is met.
class Cli : public ::testing::Test {
 protected:
  Cli() { setenv("LAZYVOL_RUNTIME_DIR", (temp_.path() / "run").c_str(), 1); }
  ~Cli() override { unsetenv("LAZYVOL_RUNTIME_DIR"); }
  std::string path(const char* name) const { return (temp_.path() / name).string(); }
  testing::TempDir temp_;
};

TEST_F(Cli, HelpIsAContract) {
  const auto help = [](Main main, Words words) {
    words.push_back("--help");
    const Ran ran = run(main, words);
    EXPECT_EQ(ran.status, kExitOk);
    EXPECT_EQ(ran.err, "");
    return ran.out;
  };
  expect_golden("lazyvol-help.txt", help(lazyvol_main, {}));
  for (const char* command : {"mount", "umount", "status", "prefetch", "evict", "refresh", "cache",
                              "limit", "publish", "keygen", "revisions", "diff", "verify", "gc"}) {
    expect_golden(std::string("lazyvol-") + command + "-help.txt", help(lazyvol_main, {command}));
  }
  for (const char* command : {"status", "check", "trim"}) {
    expect_golden(std::string("lazyvol-cache-") + command + "-help.txt",
                  help(lazyvol_main, {"cache", command}));
  }
  expect_golden("mount.lazyvol-help.txt", help(mount_lazyvol_main, {}));
  expect_golden("lazyvold-help.txt", help(lazyvold_main, {}));
}

/// The words of `text` that are long options ("--cache-dir").
std::vector<std::string> long_options(const std::string& text) {
  std::vector<std::string> found;
  for (std::size_t at = 0; (at = text.find("--", at)) != std::string::npos;) {
    const std::size_t end = text.find_first_not_of("abcdefghijklmnopqrstuvwxyz-", at);
    found.push_back(text.substr(at, end - at));
    at = end == std::string::npos ? text.size() : end;
  }
  return found;
}

TEST_F(Cli, ManualsNameEveryOption) {
  const auto manual = [](const char* name) {
    return testing::read_file(std::filesystem::path(LAZYVOL_MAN_DIR) / name);
  };
  const auto expect_named = [&](const std::string& help, const char* name) {
    for (const auto& option : long_options(help)) {
      if (option == "--help") continue;
      EXPECT_NE(manual(name).find(" " + option.substr(1)), std::string::npos)
          << name << " lacks " << option;
    }
  };
  for (const char* command : {"umount", "status", "prefetch", "evict", "refresh"}) {
    expect_named(run(lazyvol_main, {command, "--help"}).out, "lazyvol.1");
  }
  for (const char* command : {"status", "check", "trim"}) {
    expect_named(run(lazyvol_main, {"cache", command, "--help"}).out, "lazyvol.1");
  }
  for (const char* command : {"publish", "keygen", "revisions", "diff", "verify", "gc"}) {
    expect_named(run(lazyvol_main, {command, "--help"}).out, "lazyvol-publish.1");
  }
  expect_named(run(lazyvold_main, {"--help"}).out, "lazyvold.8");
  for (const auto& option : model::mount_option_help()) {
    EXPECT_NE(manual("mount.lazyvol.8").find(option.name), std::string::npos) << option.name;
  }
}

TEST_F(Cli, VersionsAreNamed) {
  EXPECT_EQ(run(lazyvol_main, {"--version"}).out, "lazyvol " LAZYVOL_VERSION "\n");
  EXPECT_EQ(run(lazyvold_main, {"--version"}).out, "lazyvold " LAZYVOL_VERSION "\n");
  EXPECT_EQ(run(mount_lazyvol_main, {"--version"}).out, "mount.lazyvol " LAZYVOL_VERSION "\n");
}

struct Usage {
  Main main;
  Words words;
  int status;
  const char* mentions;
};

class UsageError : public Cli, public ::testing::WithParamInterface<Usage> {};

TEST_P(UsageError, IsOneLineAndItsStatus) {
  const Ran ran = run(GetParam().main, GetParam().words);
  EXPECT_EQ(ran.status, GetParam().status) << ran.err;
  EXPECT_EQ(ran.out, "");
  expect_one_line(ran.err);
  EXPECT_NE(ran.err.find(GetParam().mentions), std::string::npos) << ran.err;
}

const Main kLazyvol = lazyvol_main;
const Main kHelper = mount_lazyvol_main;
const Main kDaemon = lazyvold_main;

INSTANTIATE_TEST_SUITE_P(
    Lines, UsageError,
    ::testing::Values(
        Usage{kLazyvol, {}, 2, "command is needed"},
        Usage{kLazyvol, {"frobnicate"}, 2, "frobnicate"}, Usage{kLazyvol, {"--frob"}, 2, "--frob"},
        Usage{kLazyvol, {"mount"}, 2, "SOURCE"},
        Usage{kLazyvol, {"mount", "http://h/"}, 2, "MOUNTPOINT"},
        Usage{kLazyvol, {"mount", "http://h/", "/", "-o", "no-such-option=1"}, 2, "no-such-option"},
        Usage{kLazyvol, {"mount", "http://h/", "/", "-o", "io-timeout=soon"}, 2, "io-timeout"},
        Usage{kLazyvol, {"mount", "http://h/", "/", "-o", "memory-target=1M"}, 2, "memory-target"},
        Usage{kLazyvol, {"mount", "http://h/", "/", "-o", "rw"}, 2, "rw"},
        Usage{kLazyvol, {"mount", "gopher://h/", "/"}, 2, "gopher"},
        Usage{kLazyvol, {"mount", "http://me:secret@h/", "/"}, 2, "credentials"},
        Usage{kLazyvol, {"mount", "relative/path", "/"}, 2, "absolute"},
        Usage{kLazyvol, {"umount"}, 2, "MOUNTPOINT"}, Usage{kLazyvol, {"prefetch"}, 2, "PATH"},
        Usage{kLazyvol, {"evict"}, 2, "PATH"}, Usage{kLazyvol, {"refresh"}, 2, "MOUNTPOINT"},
        Usage{kLazyvol, {"cache"}, 2, "command is needed"},
        Usage{kLazyvol, {"cache", "polish"}, 2, "polish"},
        Usage{kLazyvol, {"cache", "trim", "--to", "much"}, 2, "--to"},
        Usage{kLazyvol, {"publish"}, 2, "TREE"}, Usage{kLazyvol, {"publish", "/"}, 2, "DEST"},
        Usage{kLazyvol, {"publish", "/t", "s3://bucket/v?x"}, 2, "query"},
        Usage{kLazyvol, {"publish", "/t", "https://host/v"}, 2, "name the directory"},
        Usage{kLazyvol, {"publish", "/t", "/d", "--chunk", "huge"}, 2, "--chunk"},
        Usage{kLazyvol, {"publish", "/t", "/d", "--level", "40"}, 2, "--level"},
        Usage{kLazyvol, {"publish", "/t", "/d", "--threads", "0"}, 2, "--threads"},
        Usage{kLazyvol, {"publish", "/t", "/d", "--expires", "soon"}, 2, "--expires"},
        Usage{kLazyvol, {"publish", "/t", "/d", "--tag", "../x"}, 2, "tag"},
        Usage{kLazyvol, {"publish", "/t", "/t/volume"}, 2, "publish itself"},
        Usage{kLazyvol, {"keygen"}, 2, "FILE"}, Usage{kLazyvol, {"revisions"}, 2, "VOLUME"},
        Usage{kLazyvol, {"revisions", "gopher://h/"}, 2, "gopher"},
        Usage{kLazyvol, {"revisions", "http://h/", "-o", "frob"}, 2, "frob"},
        Usage{kLazyvol, {"diff", "/v", "1"}, 2, "B"},
        Usage{kLazyvol, {"verify", "/v", "--all", "--revision", "3"}, 2, "--all"},
        Usage{kLazyvol, {"verify", "/v", "--key", "ed25519:zz"}, 2, "--key"},
        Usage{kLazyvol, {"gc", "https://host/v"}, 2, "name the directory"},
        Usage{kLazyvol, {"gc", "/v", "--keep", "0"}, 2, "--keep"},
        Usage{kLazyvol, {"gc", "/v", "--grace", "long"}, 2, "--grace"},
        Usage{kHelper, {}, 1, "SOURCE"}, Usage{kHelper, {"http://h/"}, 1, "DIR"},
        Usage{kHelper, {"http://h/", "/", "-o", "no-such-option"}, 1, "no-such-option"},
        Usage{kHelper, {"gopher://h/", "/"}, 1, "gopher"},
        Usage{kDaemon, {"--cache-size", "big"}, 2, "--cache-size"},
        Usage{kDaemon, {"--free-space-ratio", "7"}, 2, "--free-space-ratio"},
        Usage{kDaemon, {"--memory-target", "1M"}, 2, "--memory-target"},
        Usage{kDaemon, {"--log-level", "chatty"}, 2, "--log-level"},
        Usage{kDaemon, {"stray"}, 2, "stray"}));

TEST_F(Cli, ASecretInTheSourceIsNotRepeated) {
  const Ran ran = run(lazyvol_main, {"mount", "http://me:hunter2@h/", "/"});
  EXPECT_EQ(ran.err.find("hunter2"), std::string::npos) << ran.err;
}

TEST_F(Cli, MountpointIsCheckedBeforeAnythingStarts) {
  testing::write_file(temp_.path() / "file", "x");
  for (const auto main : {kLazyvol, kHelper}) {
    for (const char* name : {"missing", "file", "file/below"}) {
      Words words{"http://h/", path(name)};
      if (main == kLazyvol) words.insert(words.begin(), "mount");
      const Ran ran = run(main, words);
      EXPECT_EQ(ran.status, kExitMountFailure);
      expect_one_line(ran.err);
      EXPECT_NE(ran.err.find(path(name)), std::string::npos) << ran.err;
    }
  }
  EXPECT_FALSE(std::filesystem::exists(temp_.path() / "run"));
}

TEST_F(Cli, FakeMountChecksAndMountsNothing) {
  const Ran ran =
      run(mount_lazyvol_main, {"http://h/", temp_.path().string(), "-f", "-n", "-v", "-o", "rw"});
  EXPECT_EQ(ran.status, kExitOk) << ran.err;
  EXPECT_FALSE(std::filesystem::exists(temp_.path() / "run"));
  EXPECT_EQ(run(mount_lazyvol_main, {"http://h/", path("missing"), "-f"}).status,
            kExitMountFailure);
}

TEST_F(Cli, SloppyForgivesUnknownOptionsOnly) {
  const std::string dir = temp_.path().string();
  EXPECT_EQ(
      run(mount_lazyvol_main, {"http://h/", dir, "-f", "-s", "-o", "frob,_netdev,io-retries=1"})
          .status,
      kExitOk);
  EXPECT_EQ(run(mount_lazyvol_main, {"http://h/", dir, "-f", "-o", "frob,_netdev"}).status, 1);
  EXPECT_EQ(run(mount_lazyvol_main, {"http://h/", dir, "-f", "-s", "-o", "io_retries=many"}).status,
            1);
}

TEST_F(Cli, CommandsOnPathsThatAreNotMounted) {
  const std::string dir = temp_.path().string();
  for (const Words& words :
       {Words{"prefetch", dir}, Words{"evict", dir}, Words{"refresh", dir}, Words{"status", dir}}) {
    const Ran ran = run(lazyvol_main, words);
    EXPECT_EQ(ran.status, kExitFailed) << words[0];
    expect_one_line(ran.err);
    EXPECT_NE(ran.err.find("not on a lazyvol mount"), std::string::npos) << ran.err;
  }
  const Ran umount = run(lazyvol_main, {"umount", dir});
  EXPECT_EQ(umount.status, kExitMountFailure);
  expect_one_line(umount.err);
}

TEST_F(Cli, WithoutADaemon) {
  EXPECT_EQ(run(lazyvol_main, {"status"}).status, kExitOk);
  EXPECT_NE(run(lazyvol_main, {"status"}).out.find("no lazyvold is running"), std::string::npos);
  EXPECT_EQ(run(lazyvol_main, {"status", "--json"}).out, "");
  for (const char* command : {"status", "check", "trim"}) {
    const Ran ran = run(lazyvol_main, {"cache", command, "--cache-dir", path("cache")});
    EXPECT_EQ(ran.status, kExitFailed);
    expect_one_line(ran.err);
    EXPECT_NE(ran.err.find("no lazyvold runs"), std::string::npos) << ran.err;
  }
}

TEST(OneLine, JoinsWhatLibrariesBreak) {
  EXPECT_EQ(one_line("a\nb\n"), "a; b");
  EXPECT_EQ(one_line("a\r\n\nb"), "a; b");
  EXPECT_EQ(one_line(""), "");
}

}  // namespace
}  // namespace lazyvol::daemon
