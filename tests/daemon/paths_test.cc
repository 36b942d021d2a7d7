#include "daemon/paths.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <string>

#include "support/temp_dir.h"

namespace lazyvol::daemon {
namespace {

namespace fs = std::filesystem;

UserContext user(uid_t uid, std::map<std::string, std::string> env = {}) {
  return {uid, [env](const char* name) -> std::optional<std::string> {
            auto it = env.find(name);
            if (it == env.end()) return std::nullopt;
            return it->second;
          }};
}

TEST(DefaultCacheDir, FollowsTheUser) {
  EXPECT_EQ(*default_cache_dir(user(0, {{"XDG_CACHE_HOME", "/x"}})), "/var/cache/lazyvol");
  EXPECT_EQ(*default_cache_dir(user(5, {{"XDG_CACHE_HOME", "/x"}, {"HOME", "/h"}})), "/x/lazyvol");
  EXPECT_EQ(*default_cache_dir(user(5, {{"HOME", "/h"}})), "/h/.cache/lazyvol");
  EXPECT_EQ(default_cache_dir(user(5)).error().code, Code::invalid_argument);
}

TEST(RuntimeDir, FollowsTheUser) {
  EXPECT_EQ(runtime_dir(user(0)), "/run/lazyvol");
  EXPECT_EQ(runtime_dir(user(0, {{"LAZYVOL_RUNTIME_DIR", "/r"}})), "/r");
  EXPECT_EQ(runtime_dir(user(7, {{"XDG_RUNTIME_DIR", "/run/user/7"}})), "/run/user/7/lazyvol");
  EXPECT_EQ(runtime_dir(user(7)), "/tmp/lazyvol-7");
}

TEST(CanonicalCacheDir, IsTheSameBeforeAndAfterItExists) {
  testing::TempDir temp;
  fs::create_directory_symlink(temp.path(), temp.path() / "link");
  const fs::path given = temp.path() / "link" / "." / "cache" / "";
  const auto before = canonical_directory(given);
  fs::create_directories(given);
  const auto after = canonical_directory(given);
  EXPECT_EQ(*before, *after);
  EXPECT_EQ(*after, fs::canonical(temp.path()) / "cache");
}

TEST(ControlSocketPath, DependsOnTheCacheAlone) {
  const auto one = control_socket_path("/run/lazyvol", "/a");
  const auto same = control_socket_path("/run/lazyvol", "/a");
  const auto other = control_socket_path("/run/lazyvol", "/b");
  EXPECT_EQ(*one, *same);
  EXPECT_NE(*one, *other);
  EXPECT_EQ(one->filename().string().size(), 16 + std::string(".sock").size());
  EXPECT_EQ(one->parent_path(), "/run/lazyvol");
}

TEST(ControlSocketPath, RefusesWhatAUnixSocketCannotName) {
  // "/" + 16 digits + ".sock" = 22 bytes; 107 are allowed.
  const auto fits = control_socket_path("/" + std::string(84, 'r'), "/a");
  ASSERT_TRUE(fits.ok());
  EXPECT_EQ(fits->native().size(), 107u);
  const auto longer = control_socket_path("/" + std::string(85, 'r'), "/a");
  ASSERT_FALSE(longer.ok());
  EXPECT_EQ(longer.error().code, Code::name_too_long);
  EXPECT_NE(longer.error().message.find("LAZYVOL_RUNTIME_DIR"), std::string::npos);
}

TEST(PrepareRuntimeDir, MakesItPrivate) {
  testing::TempDir temp;
  const fs::path dir = temp.path() / "run";
  ASSERT_TRUE(prepare_runtime_dir(dir, user(geteuid())).ok());
  struct stat info {};
  ASSERT_EQ(stat(dir.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0700u);
  EXPECT_TRUE(prepare_runtime_dir(dir, user(geteuid())).ok());
}

TEST(PrepareRuntimeDir, RefusesWhatOthersCouldReach) {
  testing::TempDir temp;
  const fs::path dir = temp.path() / "run";
  fs::create_directory(dir);
  chmod(dir.c_str(), 0755);
  EXPECT_EQ(prepare_runtime_dir(dir, user(geteuid())).error().code, Code::access_denied);
  chmod(dir.c_str(), 0700);
  EXPECT_EQ(prepare_runtime_dir(dir, user(geteuid() + 1)).error().code, Code::access_denied);
  fs::create_directory_symlink(dir, temp.path() / "link");
  EXPECT_EQ(prepare_runtime_dir(temp.path() / "link", user(geteuid())).error().code,
            Code::access_denied);
  EXPECT_EQ(prepare_runtime_dir(temp.path() / "no" / "where", user(geteuid())).error().code,
            Code::not_found);
}

TEST(ListControlSockets, FindsSocketsOnly) {
  testing::TempDir temp;
  testing::write_file(temp.path() / "b.sock", "");
  testing::write_file(temp.path() / "a.sock", "");
  testing::write_file(temp.path() / "a.start", "");
  const auto sockets = list_control_sockets(temp.path());
  ASSERT_EQ(sockets.size(), 2u);
  EXPECT_EQ(sockets[0].filename(), "a.sock");
  EXPECT_TRUE(list_control_sockets(temp.path() / "none").empty());
}

}  // namespace
}  // namespace lazyvol::daemon
