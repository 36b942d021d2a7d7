// The origin over real servers: http(s), ssh and a path of this machine.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "git/origin_world.h"

namespace lazyvol::git {
namespace {

namespace fs = std::filesystem;
using source::code_of;
using testing::noise;
using Way = OriginWorld::Way;

std::string name_of(const ::testing::TestParamInfo<Way>& info) {
  constexpr const char* kNames[] = {"Http", "HttpVersion0", "HttpUnfiltered", "Ssh", "File"};
  return kNames[static_cast<int>(info.param)];
}

class GitOriginWays : public ::testing::TestWithParam<Way> {
 protected:
  OriginWorld world_{GetParam()};
  /// Version 2 with object-info.
  bool tells_sizes() const { return GetParam() != Way::http_version0; }
};

INSTANTIATE_TEST_SUITE_P(All, GitOriginWays,
                         ::testing::Values(Way::http, Way::http_version0, Way::http_unfiltered,
                                           Way::ssh, Way::file),
                         name_of);

TEST_P(GitOriginWays, ShowsTheTreeOfACommitAndItsBytes) {
  auto& repository = world_.repository;
  const std::string big = noise(3 << 20, 1);
  repository.put("dir/sub/file", "some bytes\n");
  repository.put("dir/program", "#!/bin/sh\n", true);
  repository.put("empty", "");
  repository.put("big", big);
  repository.put("a b\n\xff", "odd");
  repository.put(".hidden", "h");
  fs::create_symlink("../big", repository.work() / "dir/link");
  repository.commit("first", 1'600'000'000);
  const auto origin = world_.open();
  ASSERT_TRUE(origin);
  const auto tree = show(*origin, world_.timer());
  ASSERT_TRUE(tree.ok()) << tree.error().message;
  const auto& entries = tree->entries;
  ASSERT_EQ(entries.size(), 9U);
  EXPECT_EQ(entries.at("dir/program").mode, 0755U);
  EXPECT_EQ(entries.at("dir/sub/file").mode, 0644U);
  EXPECT_EQ(entries.at("dir/link").symlink_target, "../big");
  EXPECT_EQ(entries.at("empty").size, 0U);
  EXPECT_EQ(entries.at("big").mtime_ns, 1'600'000'000'000'000'000);
  EXPECT_EQ(entries.at("big").size, tells_sizes() ? big.size() : catalog::kUnknownSize);
  EXPECT_EQ(bytes_of(*origin, entries.at("dir/sub/file")), "some bytes\n");
  EXPECT_EQ(bytes_of(*origin, entries.at("a b\n\xff")), "odd");
  EXPECT_TRUE(bytes_of(*origin, entries.at("big")) == big);
}

TEST_P(GitOriginWays, ANewCommitIsShownByTheNextLook) {
  auto& repository = world_.repository;
  repository.put("kept", "kept");
  repository.put("changed", "old");
  repository.commit("first", 1'600'000'000);
  const auto origin = world_.open();
  ASSERT_TRUE(origin);
  const auto before = show(*origin, world_.timer());
  ASSERT_TRUE(before.ok()) << before.error().message;
  repository.put("changed", "new bytes");
  repository.put("added/file", "added");
  repository.commit("second", 1'600'000'100);
  const auto after = show(*origin, world_.timer());
  ASSERT_TRUE(after.ok()) << after.error().message;
  EXPECT_EQ(after->entries.at("kept"), before->entries.at("kept"));
  EXPECT_NE(after->entries.at("changed").id, before->entries.at("changed").id);
  EXPECT_EQ(after->entries.at("changed").mtime_ns, 1'600'000'100'000'000'000);
  EXPECT_EQ(bytes_of(*origin, after->entries.at("changed")), "new bytes");
  EXPECT_EQ(bytes_of(*origin, after->entries.at("added/file")), "added");
  EXPECT_EQ(bytes_of(*origin, before->entries.at("changed")), "old");
  EXPECT_EQ(after->head.sequence, before->head.sequence + 1);
}

TEST_P(GitOriginWays, PartsOfAnObjectAreRead) {
  const std::string big = noise((5 << 20) + 17, 3), small = noise(5000, 4);
  world_.repository.put("big", big);
  world_.repository.put("small", small);
  world_.repository.commit();
  const auto origin = world_.open();
  ASSERT_TRUE(origin);
  const auto tree = show(*origin, world_.timer());
  ASSERT_TRUE(tree.ok()) << tree.error().message;
  for (const auto& [name, bytes] : {std::pair("big", &big), std::pair("small", &small)}) {
    const std::string path = object_path(tree->entries.at(name));
    for (const std::uint64_t offset : {0UL, 1UL, 4000UL, bytes->size() - 1}) {
      const auto got = source::read(*origin, path, "", offset, 1500);
      ASSERT_TRUE(got.status.ok()) << got.status.error().message;
      EXPECT_TRUE(got.bytes == bytes->substr(offset, 1500)) << name << " at " << offset;
      EXPECT_EQ(got.start->total_size, bytes->size());
      EXPECT_EQ("objects/" + got.start->validator, path);
    }
    EXPECT_EQ(code_of(source::read(*origin, path, "other", 0, 1).status), Code::stale);
  }
}

class GitHttp : public ::testing::Test {
 protected:
  OriginWorld world_{Way::http};
  std::vector<testing::AccessLine> requests() { return world_.http()->nginx().access_log(); }
  std::uint64_t bytes() { return world_.http()->nginx().body_bytes_sent(); }
};

TEST_F(GitHttp, AMountFetchesNoBlobs) {
  for (int dir = 0; dir < 50; ++dir) {
    for (int file = 0; file < 40; ++file) {
      world_.repository.put("d" + std::to_string(dir) + "/f" + std::to_string(file),
                            noise(4000, dir * 100 + file));
    }
  }
  world_.repository.commit();
  const auto origin = world_.open();
  const auto tree = show(*origin, world_.timer());
  ASSERT_TRUE(tree.ok()) << tree.error().message;
  EXPECT_EQ(tree->entries.size(), 2050U);
  EXPECT_EQ(tree->entries.at("d1/f1").size, 4000U);
  EXPECT_LT(bytes(), 400'000U);
  EXPECT_LE(requests().size(), 12U);
  RecordProperty("requests", static_cast<int>(requests().size()));
  RecordProperty("bytes", static_cast<int>(bytes()));
}

TEST_F(GitHttp, ALookWithoutNewsIsOneConversation) {
  world_.repository.put("a", "a");
  world_.repository.commit();
  const auto origin = world_.open();
  ASSERT_TRUE(show(*origin, world_.timer()).ok());
  world_.http()->nginx().clear_access_log();
  ASSERT_TRUE(source::stat(*origin, "lazyvol-head").ok());
  EXPECT_EQ(requests().size(), 2U);  // what the server can, its refs
  world_.http()->nginx().clear_access_log();
  std::vector<std::thread> askers;
  for (int i = 0; i < 8; ++i) {
    askers.emplace_back([&] { EXPECT_TRUE(source::stat(*origin, "lazyvol-head").ok()); });
  }
  for (auto& asker : askers) asker.join();
  EXPECT_LE(requests().size(), 6U);
}

TEST_F(GitHttp, ANewCommitBringsItsTreesOnly) {
  for (int dir = 0; dir < 300; ++dir) {
    world_.repository.put("d" + std::to_string(dir) + "/file", noise(100, dir));
  }
  world_.repository.commit();
  const auto origin = world_.open();
  ASSERT_TRUE(show(*origin, world_.timer()).ok());
  world_.repository.put("d7/file", "changed");
  world_.repository.commit();
  world_.http()->nginx().clear_access_log();
  ASSERT_TRUE(show(*origin, world_.timer()).ok());
  EXPECT_LT(bytes(), 20'000U);
  RecordProperty("requests", static_cast<int>(requests().size()));
  RecordProperty("bytes", static_cast<int>(bytes()));
}

TEST_F(GitHttp, ExpectedBlobsComeInOneBatch) {
  std::vector<std::string> paths;
  for (int file = 0; file < 500; ++file) {
    world_.repository.put("f" + std::to_string(file), noise(1000, file));
  }
  world_.repository.commit();
  const auto origin = world_.open();
  const auto tree = show(*origin, world_.timer());
  ASSERT_TRUE(tree.ok());
  for (const auto& [path, entry] : tree->entries) paths.push_back(object_path(entry));
  world_.http()->nginx().clear_access_log();
  origin->expect(paths);
  for (const std::string& path : paths) {
    const auto got = source::read(*origin, path, "", 0, 1000);
    ASSERT_TRUE(got.status.ok()) << got.status.error().message;
    EXPECT_EQ(got.bytes.size(), 1000U);
  }
  EXPECT_EQ(requests().size(), 2U);
}

TEST_F(GitHttp, WhoAsksMeanwhileGoesWithTheNextBatch) {
  for (int file = 0; file < 64; ++file) {
    world_.repository.put("f" + std::to_string(file), noise(1000, file));
  }
  world_.repository.commit();
  const auto origin = world_.open();
  const auto tree = show(*origin, world_.timer());
  ASSERT_TRUE(tree.ok());
  world_.http()->nginx().clear_access_log();
  std::vector<std::thread> readers;
  for (const auto& [path, entry] : tree->entries) {
    readers.emplace_back([&origin, path = object_path(entry)] {
      EXPECT_EQ(source::read(*origin, path, "", 0, 1000).bytes.size(), 1000U);
    });
  }
  for (auto& reader : readers) reader.join();
  EXPECT_LE(requests().size(), 12U);
}

TEST_F(GitHttp, ABranchATagAndACommitAreShown) {
  world_.repository.put("a", "1");
  const std::string first = world_.repository.commit();
  world_.repository.git({"tag", "-a", "-m", "tag", "v1"});
  world_.repository.git({"push", "-q", world_.repository.bare().string(), "v1"});
  world_.repository.git({"push", "-q", world_.repository.bare().string(), "HEAD:refs/heads/side"});
  world_.repository.put("a", "22");
  world_.repository.commit();
  for (const std::string& ref : {std::string("v1"), std::string("side"), first,
                                 std::string("refs/heads/side"), std::string("refs/tags/v1")}) {
    model::MountOptions options;
    options.ref = ref;
    const auto origin = world_.open(options);
    ASSERT_TRUE(origin);
    const auto tree = show(*origin, world_.timer());
    ASSERT_TRUE(tree.ok()) << ref << ": " << tree.error().message;
    EXPECT_EQ(tree->entries.at("a").size, 1U) << ref;
  }
  const auto tree = show(*world_.open(), world_.timer());
  ASSERT_TRUE(tree.ok());
  EXPECT_EQ(tree->entries.at("a").size, 2U);
}

TEST_F(GitHttp, ARefThatIsNotThereIsSaidSo) {
  world_.repository.put("a", "1");
  world_.repository.commit();
  model::MountOptions options;
  options.ref = "nothing";
  const auto origin = world_.open(options);
  const auto tree = show(*origin, world_.timer());
  ASSERT_FALSE(tree.ok());
  EXPECT_EQ(tree.error().code, Code::not_found);
  EXPECT_NE(tree.error().message.find("'nothing'"), std::string::npos) << tree.error().message;
  options.ref = std::string(40, 'e');
  const auto other = world_.open(options);
  EXPECT_EQ(code_of(show(*other, world_.timer())), Code::not_found);
}

TEST_F(GitHttp, ARewrittenBranchIsJustAnotherCommit) {
  world_.repository.put("a", "1");
  world_.repository.commit("one");
  world_.repository.put("a", "22");
  world_.repository.commit("two");
  const auto origin = world_.open();
  ASSERT_TRUE(show(*origin, world_.timer()).ok());
  world_.repository.git({"checkout", "-q", "--orphan", "other"});
  world_.repository.put("b", "333");
  world_.repository.commit("rewritten");
  const auto tree = show(*origin, world_.timer());
  ASSERT_TRUE(tree.ok()) << tree.error().message;
  EXPECT_EQ(bytes_of(*origin, tree->entries.at("b")), "333");
}

TEST_F(GitHttp, ARestartGoesOnWithoutFetching) {
  world_.repository.put("a", "bytes");
  world_.repository.commit();
  auto origin = world_.open();
  const auto before = show(*origin, world_.timer());
  ASSERT_TRUE(before.ok());
  EXPECT_EQ(bytes_of(*origin, before->entries.at("a")), "bytes");
  const std::string name = origin->volume_name();
  origin.reset();
  world_.http()->nginx().clear_access_log();
  origin = world_.open();
  EXPECT_EQ(origin->volume_name(), name);
  EXPECT_TRUE(requests().empty());
  const auto after = show(*origin, world_.timer());
  ASSERT_TRUE(after.ok());
  EXPECT_EQ(after->entries, before->entries);
  EXPECT_EQ(after->head, before->head);
  EXPECT_EQ(bytes_of(*origin, after->entries.at("a")), "bytes");
  EXPECT_EQ(requests().size(), 2U);
}

TEST_F(GitHttp, LeftoversOfAKilledProcessAreRemoved) {
  world_.repository.put("a", "1");
  world_.repository.commit();
  auto origin = world_.open();
  ASSERT_TRUE(show(*origin, world_.timer()).ok());
  origin.reset();
  for (const auto& mirror : fs::directory_iterator(world_.mirrors())) {
    for (const char* lock : {"shallow.lock", "config.lock", "objects/pack/tmp_pack_x"}) {
      testing::write_file(mirror.path() / "repo.git" / lock, "");
    }
    fs::create_directories(mirror.path() / "repo.git/refs/lazyvol");
    testing::write_file(mirror.path() / "repo.git/refs/lazyvol/r0.lock", "");
  }
  world_.repository.put("a", "22");
  world_.repository.commit();
  origin = world_.open();
  const auto tree = show(*origin, world_.timer());
  ASSERT_TRUE(tree.ok()) << tree.error().message;
  EXPECT_EQ(tree->entries.at("a").size, 2U);
}

TEST_F(GitHttp, DamagedTreesAndPagesAreMadeAnew) {
  world_.repository.put("a", "1");
  world_.repository.put("d/b", "2");
  world_.repository.commit();
  auto origin = world_.open();
  const auto before = show(*origin, world_.timer());
  ASSERT_TRUE(before.ok());
  origin.reset();
  for (const auto& file : fs::recursive_directory_iterator(world_.mirrors())) {
    const std::string path = file.path().string();
    const bool tree_pack = path.find("repo.git") != std::string::npos && path.ends_with(".pack");
    if (tree_pack || path.find("volume/packs/") != std::string::npos) {
      if (file.is_regular_file()) fs::resize_file(file.path(), 20);
    }
  }
  world_.repository.put("a", "22");
  world_.repository.commit();
  origin = world_.open();
  const auto tree = show(*origin, world_.timer());
  ASSERT_TRUE(tree.ok()) << tree.error().message;
  EXPECT_EQ(tree->entries.size(), 3U);
  EXPECT_EQ(bytes_of(*origin, tree->entries.at("a")), "22");
}

TEST_F(GitHttp, AnOutageIsUnreachableAndHeals) {
  world_.repository.put("a", "bytes");
  world_.repository.commit();
  const auto origin = world_.open();
  const auto tree = show(*origin, world_.timer());
  ASSERT_TRUE(tree.ok());
  world_.http()->nginx().stop();
  EXPECT_EQ(code_of(source::stat(*origin, "lazyvol-head")), Code::unreachable);
  EXPECT_EQ(code_of(source::stat(*origin, object_path(tree->entries.at("a")))), Code::unreachable);
  world_.http()->nginx().start();
  EXPECT_EQ(bytes_of(*origin, tree->entries.at("a")), "bytes");
}

// git tells of no progress within a single object.
TEST(GitHttpSlow, ALongBlobTakesLongerThanADeadline) {
  OriginWorld world(Way::http_slow);
  const std::string big = noise(5 * OriginWorld::kSlow, 5);
  world.repository.put("big", big);
  world.repository.commit();
  model::MountOptions options;
  options.io_timeout = std::chrono::milliseconds(2500);
  const auto origin = world.open(options);
  ASSERT_TRUE(origin);
  const auto tree = show(*origin, world.timer());
  ASSERT_TRUE(tree.ok()) << tree.error().message;
  EXPECT_TRUE(bytes_of(*origin, tree->entries.at("big")) == big);
}

TEST_F(GitHttp, NothingElseIsThere) {
  world_.repository.put("a", "bytes");
  world_.repository.commit();
  const auto origin = world_.open();
  for (const std::string path : {"objects/../state", "objects/", "state", "key.pem", "objects/x",
                                 "packs/../../key.pem", "packs/../lazyvol-head"}) {
    EXPECT_TRUE(code_of(source::stat(*origin, path)).has_value()) << path;
    EXPECT_FALSE(source::read(*origin, path, "", 0, 10).status.ok()) << path;
  }
  EXPECT_EQ(code_of(source::stat(*origin, "objects/" + std::string(40, '1'))), Code::not_found);
}

TEST(GitAccess, APasswordIsUsedRefusedAndReplaced) {
  testing::GitRepository repository;
  testing::GitHttpOptions http;
  http.user = "me";
  http.password = "se\"cr\\et;#";
  testing::GitHttpServer server(repository.root(), http);
  repository.put("a", "bytes");
  repository.commit();
  testing::TempDir temp;
  source::Rig rig;
  const fs::path file = temp.path() / "credentials.toml";
  const auto write = [&](const std::string& password) {
    testing::write_file(file, "username = 'me'\npassword = '" + password + "'\n");
    ::chmod(file.c_str(), 0600);
  };
  write("wrong");
  model::MountOptions options;
  options.credentials = file.string();
  const auto url = *model::parse_source_url("git+" + server.url());
  EXPECT_EQ(code_of(GitOrigin::open(url, options, temp.path() / "git", rig.environment())),
            Code::access_denied);
  write(http.password);
  const auto origin = GitOrigin::open(url, options, temp.path() / "git", rig.environment());
  ASSERT_TRUE(origin.ok()) << origin.error().message;
  ASSERT_TRUE(show(**origin, rig.timer()).ok());
  bool secret_seen = false;
  for (const auto& one : fs::recursive_directory_iterator(temp.path() / "git")) {
    if (one.path().filename() == "access.conf") {
      secret_seen = true;
      EXPECT_EQ(fs::status(one.path()).permissions(), fs::perms(0600));
    }
  }
  EXPECT_TRUE(secret_seen);
  write("wrong again");
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  EXPECT_EQ(code_of(source::stat(**origin, "lazyvol-head")), Code::access_denied);
  write(http.password);
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  EXPECT_TRUE(source::stat(**origin, "lazyvol-head").ok());
}

TEST(GitAccess, ATokenOverTls) {
  testing::GitRepository repository;
  testing::GitHttpOptions http;
  http.bearer_token = "abc.def";
  http.tls = true;
  testing::GitHttpServer server(repository.root(), http);
  repository.put("a", "bytes");
  repository.commit();
  testing::TempDir temp;
  source::Rig rig;
  const fs::path file = temp.path() / "credentials.toml";
  testing::write_file(file, "bearer-token = 'abc.def'\n");
  ::chmod(file.c_str(), 0600);
  model::MountOptions options;
  options.credentials = file.string();
  const auto url = *model::parse_source_url("git+" + server.url());
  const auto open = [&] {
    return GitOrigin::open(url, options, temp.path() / "git", rig.environment());
  };
  EXPECT_FALSE(open().ok());  // a stranger's certificate
  options.ca_cert = server.nginx().ca_path().string();
  const auto origin = open();
  ASSERT_TRUE(origin.ok()) << origin.error().message;
  const auto tree = show(**origin, rig.timer());
  ASSERT_TRUE(tree.ok()) << tree.error().message;
  EXPECT_EQ(bytes_of(**origin, tree->entries.at("a")), "bytes");
}

}  // namespace
}  // namespace lazyvol::git
