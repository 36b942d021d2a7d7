// Files of git-lfs through the origin: over http(s) and ssh with a server of objects, and from a
// path of this machine.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "git/lfs_batch.h"
#include "git/origin_world.h"
#include "support/lfs_store.h"

namespace lazyvol::git {
namespace {

namespace fs = std::filesystem;
using source::code_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::LfsStore;
using testing::noise;

/// A repository whose *.bin are in git-lfs, and one way to both.
class LfsWorld {
 public:
  explicit LfsWorld(bool http, testing::GitHttpOptions options = {}) {
    repository.put(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n");
    if (!http) return;
    options.lfs = store.directory();
    http_ = std::make_unique<testing::GitHttpServer>(repository.root(), std::move(options));
  }

  std::string url() const {
    return http_ ? "git+" + http_->url() : "git+file://" + repository.bare().string();
  }
  /// Keeps an object where this way finds it, and commits its pointer with the next commit.
  void put(const std::string& path, std::string_view bytes) const {
    const std::string oid = store.add(bytes);
    if (!http_) {
      testing::write_file(
          repository.bare() / "lfs/objects" / oid.substr(0, 2) / oid.substr(2, 2) / oid, bytes);
    }
    repository.put(path, LfsStore::pointer_to(oid, bytes.size()));
  }
  std::shared_ptr<GitOrigin> open(model::MountOptions options = {}) {
    options.lfs = true;
    return open_as(options);
  }
  std::shared_ptr<GitOrigin> open_as(const model::MountOptions& options) {
    auto opened = GitOrigin::open(*model::parse_source_url(url()), options, temp.path() / "git",
                                  rig.environment());
    EXPECT_TRUE(opened.ok()) << (opened.ok() ? "" : opened.error().message);
    return opened.ok() ? *std::move(opened) : nullptr;
  }
  testing::Nginx& nginx() { return http_->nginx(); }
  /// Requests for objects that nginx answered.
  std::vector<testing::AccessLine> object_requests() {
    auto all = nginx().access_log();
    std::erase_if(all, [](const auto& one) { return !one.uri.starts_with("/objects/"); });
    return all;
  }

  testing::GitRepository repository;
  LfsStore store;
  testing::TempDir temp;
  source::Rig rig;

 private:
  std::unique_ptr<testing::GitHttpServer> http_;
};

ShownTree must_show(Source& origin, source::Rig& rig) {
  auto tree = show(origin, rig.timer());
  EXPECT_TRUE(tree.ok()) << (tree.ok() ? "" : tree.error().message);
  return tree.ok() ? *std::move(tree) : ShownTree{};
}

Status read_status(Source& origin, const catalog::Entry& entry) {
  return source::read(origin, object_path(entry), "", 0, entry.size).status;
}

class LfsWays : public ::testing::TestWithParam<bool> {
 protected:
  LfsWorld world_{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Ways, LfsWays, ::testing::Values(true, false),
                         [](const ::testing::TestParamInfo<bool>& way) {
                           return way.param ? "Http" : "File";
                         });

TEST_P(LfsWays, ShowsWhatPointersStandForAmongOtherFiles) {
  const std::string big = noise((3 << 20) + 5, 1);
  world_.put("a.bin", "some bytes\n");
  world_.put("dir/sub/big.bin", big);
  world_.put("empty.bin", "");
  world_.repository.put("plain", "plain");
  world_.repository.put("plain.bin", "no pointer");
  const std::string stray = LfsStore::pointer("x");
  world_.repository.put("stray", stray);  // no attribute makes it one
  world_.repository.put("own/.gitattributes", "*.dat filter=lfs\nnot.bin -filter\n");
  world_.put("own/x.dat", "data");
  world_.put("x.dat", "data");
  world_.put("own/not.bin", "not");
  world_.repository.put("long.bin", noise(5000, 2));
  world_.repository.commit();
  const auto origin = world_.open();
  ASSERT_TRUE(origin);
  const auto tree = must_show(*origin, world_.rig);
  const auto& entries = tree.entries;
  ASSERT_EQ(entries.size(), 15U);
  EXPECT_EQ(entries.at("a.bin").size, 11U);
  EXPECT_EQ(entries.at("dir/sub/big.bin").size, big.size());
  EXPECT_EQ(entries.at("empty.bin").size, 0U);
  EXPECT_EQ(bytes_of(*origin, entries.at("a.bin")), "some bytes\n");
  EXPECT_TRUE(bytes_of(*origin, entries.at("dir/sub/big.bin")) == big);
  EXPECT_EQ(bytes_of(*origin, entries.at("own/x.dat")), "data");
  EXPECT_EQ(bytes_of(*origin, entries.at("plain")), "plain");
  EXPECT_EQ(bytes_of(*origin, entries.at("plain.bin")), "no pointer");
  EXPECT_EQ(bytes_of(*origin, entries.at("long.bin")), noise(5000, 2));
  EXPECT_EQ(bytes_of(*origin, entries.at("stray")), stray);
  EXPECT_EQ(bytes_of(*origin, entries.at("x.dat")), LfsStore::pointer("data"));
  EXPECT_EQ(bytes_of(*origin, entries.at("own/not.bin")), LfsStore::pointer("not"));
}

TEST_P(LfsWays, WithoutTheOptionPointersAreShown) {
  world_.put("a.bin", "some bytes\n");
  world_.repository.commit();
  const auto origin = world_.open_as({});
  const auto tree = must_show(*origin, world_.rig);
  EXPECT_EQ(bytes_of(*origin, tree.entries.at("a.bin")), LfsStore::pointer("some bytes\n"));
  EXPECT_THAT(world_.store.questions(), IsEmpty());
}

TEST_P(LfsWays, ANewCommitShowsWhatChanged) {
  world_.put("kept.bin", "kept");
  world_.put("changed.bin", "old");
  world_.put("becomes.bin", "was in lfs");
  world_.repository.commit("first", 1'600'000'000);
  const auto origin = world_.open();
  const auto before = must_show(*origin, world_.rig);
  world_.put("changed.bin", "new bytes");
  world_.repository.put("becomes.bin", "plain");
  world_.put("added.bin", "added");
  world_.repository.commit("second", 1'600'000'100);
  const auto after = must_show(*origin, world_.rig);
  EXPECT_EQ(after.entries.at("kept.bin"), before.entries.at("kept.bin"));
  EXPECT_NE(after.entries.at("changed.bin").id, before.entries.at("changed.bin").id);
  EXPECT_EQ(bytes_of(*origin, after.entries.at("changed.bin")), "new bytes");
  EXPECT_EQ(bytes_of(*origin, after.entries.at("becomes.bin")), "plain");
  EXPECT_EQ(bytes_of(*origin, after.entries.at("added.bin")), "added");
  EXPECT_EQ(bytes_of(*origin, before.entries.at("changed.bin")), "old");
}

TEST_P(LfsWays, AMissingObjectHarmsNoOther) {
  world_.put("here.bin", "here");
  world_.repository.put("gone.bin", LfsStore::pointer("never kept"));
  world_.repository.commit();
  const auto origin = world_.open();
  const auto tree = must_show(*origin, world_.rig);
  ASSERT_EQ(tree.entries.at("gone.bin").size, 10U);
  const Status gone = read_status(*origin, tree.entries.at("gone.bin"));
  EXPECT_EQ(code_of(gone), Code::io_error);
  EXPECT_TRUE(gone.error().retry_after) << "another try is of no use";
  EXPECT_THAT(gone.error().message, HasSubstr(LfsStore::oid("never kept")));
  EXPECT_EQ(bytes_of(*origin, tree.entries.at("here.bin")), "here");
}

TEST_P(LfsWays, OtherBytesThanThePointerSaysAreRefused) {
  const std::string big = noise(2 << 20, 7);
  world_.put("a.bin", "right bytes");
  world_.put("b.bin", big);
  world_.repository.commit();
  for (const auto& root : {world_.store.directory(), world_.repository.bare()}) {
    for (const auto& one : fs::recursive_directory_iterator(root)) {
      if (one.path().filename() == LfsStore::oid("right bytes")) {
        testing::write_file(one.path(), "wrong bytes");
      }
      if (one.path().filename() == LfsStore::oid(big)) fs::resize_file(one.path(), 1 << 20);
    }
  }
  const auto origin = world_.open();
  const auto tree = must_show(*origin, world_.rig);
  EXPECT_EQ(code_of(read_status(*origin, tree.entries.at("a.bin"))), Code::corrupt);
  const Status shorter = read_status(*origin, tree.entries.at("b.bin"));
  EXPECT_EQ(code_of(shorter), Code::io_error);
  EXPECT_THAT(shorter.error().message, HasSubstr("its pointer says 2097152"));
}

TEST_P(LfsWays, PartsAreRead) {
  const std::string big = noise((5 << 20) + 17, 3);
  world_.put("big.bin", big);
  world_.repository.commit();
  const auto origin = world_.open();
  const auto tree = must_show(*origin, world_.rig);
  const std::string path = object_path(tree.entries.at("big.bin"));
  for (const std::uint64_t offset : {0UL, 1UL, 4UL << 20, big.size() - 1, big.size()}) {
    const auto got = source::read(*origin, path, "", offset, 1500);
    ASSERT_TRUE(got.status.ok()) << got.status.error().message;
    EXPECT_TRUE(got.bytes == big.substr(offset, 1500)) << offset;
    EXPECT_EQ(got.start->total_size, big.size());
    EXPECT_EQ("objects/" + got.start->validator, path);
  }
  EXPECT_EQ(code_of(source::read(*origin, path, "other", 0, 1).status), Code::stale);
}

class LfsHttp : public ::testing::Test {
 protected:
  LfsWorld world_{true};
};

TEST_F(LfsHttp, LeftoversOfAKilledProcessAreRemoved) {
  world_.put("a.bin", "bytes");
  world_.repository.commit();
  auto origin = world_.open();
  (void)must_show(*origin, world_.rig);
  origin.reset();
  for (const auto& mirror : fs::directory_iterator(world_.temp.path() / "git")) {
    testing::write_file(mirror.path() / "index", "half");
    testing::write_file(mirror.path() / "index.lock", "");
  }
  world_.put("a.bin", "other bytes");
  world_.repository.commit();
  origin = world_.open();
  EXPECT_EQ(must_show(*origin, world_.rig).entries.at("a.bin").size, 11U);
}

TEST_F(LfsHttp, HostilePointersAreFilesLikeOthers) {
  const std::string version = "version https://git-lfs.github.com/spec/v1\n";
  const std::string oid(64, 'a');
  const std::string texts[] = {
      version + "oid sha256:" + oid + "\nsize 99999999999999999999999\n",
      version + "oid sha256:" + oid + "\nsize 17592186044417\n",
      version + "oid sha256:../../../../etc/passwd\nsize 5\n",
      version + "oid sha256:" + std::string(64, 'g') + "\nsize 5\n",
  };
  int number = 0;
  for (const std::string& text : texts) {
    world_.repository.put(std::to_string(number++) + ".bin", text);
  }
  world_.repository.commit();
  const auto origin = world_.open();
  const auto tree = must_show(*origin, world_.rig);
  for (int i = 0; i < number; ++i) {
    EXPECT_EQ(bytes_of(*origin, tree.entries.at(std::to_string(i) + ".bin")), texts[i]);
  }
  EXPECT_THAT(world_.store.questions(), IsEmpty());
}

TEST_F(LfsHttp, OnlyPointersAreFetchedAndOnlyNewOnes) {
  for (int i = 0; i < 100; ++i) {
    world_.put("d" + std::to_string(i % 7) + "/" + std::to_string(i) + ".bin", noise(20, i));
    world_.repository.put("s" + std::to_string(i), noise(700, i));
  }
  world_.repository.put("committed.bin", noise(3 << 20, 99));
  world_.repository.commit();
  const auto origin = world_.open();
  const auto tree = must_show(*origin, world_.rig);
  EXPECT_EQ(tree.entries.at("d0/0.bin").size, 20U);
  EXPECT_EQ(tree.entries.at("committed.bin").size, 3U << 20);
  EXPECT_LT(world_.nginx().body_bytes_sent(), 60'000U) << "no other small blob, no long one";
  RecordProperty("bytes", static_cast<int>(world_.nginx().body_bytes_sent()));
  RecordProperty("requests", static_cast<int>(world_.nginx().access_log().size()));
  world_.put("d0/0.bin", "other bytes");
  world_.repository.commit();
  world_.nginx().clear_access_log();
  EXPECT_EQ(must_show(*origin, world_.rig).entries.at("d0/0.bin").size, 11U);
  EXPECT_LT(world_.nginx().body_bytes_sent(), 10'000U);
  RecordProperty("refresh_requests", static_cast<int>(world_.nginx().access_log().size()));
}

TEST_F(LfsHttp, NeighboursAreAskedForInBatches) {
  std::vector<std::string> paths;
  for (int i = 0; i < 130; ++i) world_.put(std::to_string(i) + ".bin", noise(50, i));
  world_.repository.commit();
  const auto origin = world_.open();
  const auto tree = must_show(*origin, world_.rig);
  for (const auto& [path, entry] : tree.entries) {
    if (path.ends_with(".bin")) paths.push_back(object_path(entry));
  }
  std::size_t read = 0;
  for (const std::string& path : paths) {
    // As a directory's window is announced.
    if (read++ % kLfsBatch == 0) {
      const std::vector<std::string> ahead(paths.begin() + read - 1, paths.end());
      origin->expect({ahead.rbegin(), ahead.rend()});
    }
    const auto got = source::read(*origin, path, "", 0, 50);
    ASSERT_TRUE(got.status.ok()) << got.status.error().message;
  }
  const auto questions = world_.store.questions();
  ASSERT_EQ(questions.size(), 2U);
  EXPECT_EQ(questions[0].oids.size(), kLfsBatch);
  EXPECT_EQ(world_.object_requests().size(), 130U);
}

TEST_F(LfsHttp, ALongObjectIsReadInRangesAndAskedForOnce) {
  const std::string big = noise(8 << 20, 5);
  world_.put("big.bin", big);
  world_.repository.commit();
  const auto origin = world_.open();
  const auto tree = must_show(*origin, world_.rig);
  const std::string path = object_path(tree.entries.at("big.bin"));
  for (const std::uint64_t offset : {7UL << 20, 1UL << 20, 3UL << 20}) {
    const auto got = source::read(*origin, path, "", offset, 256 << 10);
    ASSERT_TRUE(got.status.ok()) << got.status.error().message;
    EXPECT_TRUE(got.bytes == big.substr(offset, 256 << 10));
  }
  const auto requests = world_.object_requests();
  ASSERT_EQ(requests.size(), 3U);
  for (const auto& one : requests) EXPECT_EQ(one.body_bytes, 256U << 10);
  EXPECT_EQ(requests[1].range, "bytes=1048576-1310719");
  EXPECT_EQ(world_.store.questions().size(), 1U);
}

TEST_F(LfsHttp, WhoAsksMeanwhileGoesWithTheNextQuestion) {
  for (int i = 0; i < 48; ++i) world_.put(std::to_string(i) + ".bin", noise(3000, i));
  world_.repository.commit();
  const auto origin = world_.open();
  const auto tree = must_show(*origin, world_.rig);
  std::vector<std::thread> readers;
  for (int i = 0; i < 48; ++i) {
    readers.emplace_back([&, i] {
      const auto& entry = tree.entries.at(std::to_string(i) + ".bin");
      EXPECT_TRUE(source::read(*origin, object_path(entry), "", 0, 3000).bytes == noise(3000, i));
    });
  }
  for (auto& reader : readers) reader.join();
  EXPECT_LE(world_.store.questions().size(), 8U);
  EXPECT_EQ(world_.object_requests().size(), 48U);
}

TEST_F(LfsHttp, AnEndWhileTheServerIsAskedIsCancelled) {
  world_.put("a.bin", "bytes");
  world_.repository.commit();
  auto origin = world_.open();
  const auto tree = must_show(*origin, world_.rig);
  world_.store.behave(R"({"delay": 30})");
  std::stop_source stop;
  RequestContext ctx;
  ctx.stop = stop.get_token();
  const auto sink = std::make_shared<source::CollectingSink>();
  const auto transfer = origin->read({object_path(tree.entries.at("a.bin")), "", 0, 5}, sink, ctx);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  const auto begun = std::chrono::steady_clock::now();
  stop.request_stop();
  EXPECT_EQ(code_of(sink->wait().status), Code::cancelled);
  origin.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(5));
}

TEST(LfsOldServer, FilesWithTheAttributeAreFetchedToSee) {
  testing::GitHttpOptions options;
  options.version2 = false;
  LfsWorld world(true, options);
  world.put("a.bin", "some bytes");
  world.repository.put("committed.bin", noise(5000, 1));
  world.repository.put("plain", "plain");
  world.repository.commit();
  const auto origin = world.open();
  const auto tree = must_show(*origin, world.rig);
  EXPECT_EQ(tree.entries.at("a.bin").size, 10U);
  EXPECT_EQ(tree.entries.at("plain").size, catalog::kUnknownSize);
  EXPECT_EQ(bytes_of(*origin, tree.entries.at("a.bin")), "some bytes");
  EXPECT_EQ(bytes_of(*origin, tree.entries.at("committed.bin")), noise(5000, 1));
}

TEST_F(LfsHttp, WhatHasExpiredIsAskedForAgain) {
  world_.put("a.bin", noise(4000, 1));
  world_.repository.commit();
  const auto origin = world_.open();
  const auto tree = must_show(*origin, world_.rig);
  const auto read = [&] {
    return source::read(*origin, object_path(tree.entries.at("a.bin")), "", 0, 100).status.ok();
  };
  world_.store.behave(R"({"expires_in": 1})");
  EXPECT_TRUE(read());
  EXPECT_TRUE(read());
  EXPECT_EQ(world_.store.questions().size(), 2U);
  world_.store.behave(R"({"expires_in": 600})");
  EXPECT_TRUE(read());
  EXPECT_TRUE(read());
  EXPECT_EQ(world_.store.questions().size(), 3U);
}

TEST_F(LfsHttp, WhatIsRefusedIsAskedForAgainOnce) {
  const std::string bytes = noise(4000, 1);
  world_.put("a.bin", bytes);
  world_.repository.commit();
  testing::TempDir root;
  testing::write_file(root.path() / "v1" / LfsStore::oid(bytes), bytes);
  testing::Nginx elsewhere(root.path());
  const auto base = [&](const char* directory) {
    world_.store.behave("{\"base\": \"" + elsewhere.url() + directory + "/\"}");
  };
  const auto origin = world_.open();
  const auto tree = must_show(*origin, world_.rig);
  const auto read = [&] {
    return source::read(*origin, object_path(tree.entries.at("a.bin")), "", 0, 100).status;
  };
  base("v1");
  EXPECT_TRUE(read().ok());
  fs::rename(root.path() / "v1", root.path() / "v2");
  base("v2");
  EXPECT_TRUE(read().ok());
  EXPECT_EQ(world_.store.questions().size(), 2U);
  base("v3");
  fs::rename(root.path() / "v2", root.path() / "v4");
  EXPECT_EQ(code_of(read()), Code::io_error);
  EXPECT_EQ(world_.store.questions().size(), 3U);
  base("v4");
  EXPECT_TRUE(read().ok());
}

TEST_F(LfsHttp, ABadAnswerIsAnErrorThatHeals) {
  world_.put("a.bin", "bytes");
  world_.repository.put("plain", "plain");
  world_.repository.commit();
  const auto origin = world_.open();
  const auto tree = must_show(*origin, world_.rig);
  const auto status = [&] { return read_status(*origin, tree.entries.at("a.bin")); };
  for (const char* behaviour :
       {R"({"body": "<html>"})", R"({"body": "{\"objects\": [{}]}"})", R"({"status": 500})",
        R"({"status": 404, "body": "{\"message\": \"no such thing\"}"})", R"({"status": 302})",
        R"({"base": "file:///etc/"})"}) {
    world_.store.behave(behaviour);
    EXPECT_EQ(code_of(status()), Code::io_error) << behaviour;
  }
  world_.store.behave(R"({"status": 403, "body": "{\"message\": \"not you\"}"})");
  const Status denied = status();
  EXPECT_EQ(code_of(denied), Code::access_denied);
  EXPECT_THAT(denied.error().message, HasSubstr("not you"));
  EXPECT_EQ(bytes_of(*origin, tree.entries.at("plain")), "plain");
  world_.store.behave("{}");
  EXPECT_EQ(bytes_of(*origin, tree.entries.at("a.bin")), "bytes");
}

TEST_F(LfsHttp, LfsconfigNamesAnotherPlaceOfTheHost) {
  world_.put("a.bin", "bytes");
  const std::string own = world_.nginx().url() + "own/";
  world_.repository.put(".lfsconfig", "[lfs]\n\turl = " + own + "\n");
  world_.repository.commit();
  auto origin = world_.open();
  const auto tree = must_show(*origin, world_.rig);
  origin.reset();
  origin = world_.open();
  world_.nginx().clear_access_log();
  EXPECT_EQ(bytes_of(*origin, tree.entries.at("a.bin")), "bytes");
  const auto requests = world_.nginx().access_log();
  ASSERT_EQ(requests.size(), 2U) << "a restart knows it";
  EXPECT_EQ(requests[0].uri, "/own/objects/batch");
}

TEST_F(LfsHttp, LfsconfigLeadsToNoOtherHost) {
  world_.put("a.bin", "bytes");
  world_.repository.put(".lfsconfig", "[lfs]\n\turl = http://localhost:1/\n");
  world_.repository.commit();
  const auto origin = world_.open();
  const auto tree = must_show(*origin, world_.rig);
  EXPECT_EQ(bytes_of(*origin, tree.entries.at("a.bin")), "bytes");
}

TEST(LfsSubmodules, HaveTheirOwn) {
  LfsWorld world(false), inner(false);
  inner.put("in.bin", "of the submodule");
  const std::string commit = inner.repository.commit();
  world.put("out.bin", "outside");
  world.repository.put(".gitmodules", "[submodule \"i\"]\n\tpath = i\n\turl = " +
                                          inner.repository.bare().string() + "\n");
  world.repository.git({"update-index", "--add", "--cacheinfo", "160000," + commit + ",i"});
  fs::create_directories(world.repository.work() / "i");
  world.repository.commit();
  model::MountOptions options;
  options.submodules = true;
  auto origin = world.open(options);
  const auto tree = must_show(*origin, world.rig);
  EXPECT_EQ(bytes_of(*origin, tree.entries.at("i/in.bin")), "of the submodule");
  EXPECT_EQ(bytes_of(*origin, tree.entries.at("out.bin")), "outside");
  origin.reset();
  origin = world.open(options);
  EXPECT_EQ(bytes_of(*origin, tree.entries.at("i/in.bin")), "of the submodule");
}

/// A server that wants a password, and options that have it.
struct LfsLogin {
  LfsLogin() : world(true, {.user = "me", .password = "secret"}) {
    const fs::path file = world.temp.path() / "credentials.toml";
    testing::write_file(file, "username = 'me'\npassword = 'secret'\n");
    ::chmod(file.c_str(), 0600);
    options.credentials = file.string();
  }
  LfsWorld world;
  model::MountOptions options;
};

TEST(LfsAccess, CredentialsGoToTheApiAndToObjectsOfItsOrigin) {
  LfsLogin login;
  login.world.put("a.bin", "bytes");
  login.world.repository.commit();
  const auto origin = login.world.open(login.options);
  const auto tree = must_show(*origin, login.world.rig);
  EXPECT_EQ(bytes_of(*origin, tree.entries.at("a.bin")), "bytes");
  EXPECT_THAT(login.world.store.questions().front().authorization, HasSubstr("Basic "));
}

TEST(LfsAccess, CredentialsGoToNoOtherHost) {
  LfsLogin login;
  login.world.put("a.bin", "bytes");
  login.world.repository.commit();
  testing::NginxOptions strict;
  strict.extra_location =
      "if ($http_authorization != \"\") { return 418; } if ($http_x_key != \"abc\") { return 403; "
      "}";
  testing::Nginx elsewhere(login.world.store.directory() / "objects", strict);
  login.world.store.behave("{\"base\": \"" + elsewhere.url() +
                           "\", \"header\": {\"X-Key\": \"abc\"}}");
  const auto origin = login.world.open(login.options);
  const auto tree = must_show(*origin, login.world.rig);
  EXPECT_EQ(bytes_of(*origin, tree.entries.at("a.bin")), "bytes");
  ASSERT_EQ(elsewhere.access_log().size(), 1U);
  EXPECT_EQ(elsewhere.access_log().front().status, 206);
}

TEST(LfsAccess, AWrongPasswordIsDeniedAndANewOneIsTaken) {
  LfsLogin login;
  login.world.put("a.bin", "bytes");
  login.world.repository.commit();
  const auto origin = login.world.open(login.options);
  const auto tree = must_show(*origin, login.world.rig);
  const auto settle = [] { std::this_thread::sleep_for(std::chrono::milliseconds(1100)); };
  testing::write_file(login.options.credentials, "username = 'me'\npassword = 'wrong'\n");
  settle();
  EXPECT_EQ(code_of(read_status(*origin, tree.entries.at("a.bin"))), Code::access_denied);
  testing::write_file(login.options.credentials, "username = 'me'\npassword = 'secret'\n");
  settle();
  EXPECT_EQ(bytes_of(*origin, tree.entries.at("a.bin")), "bytes");
}

TEST(LfsAccess, CredentialHelpersAreAsked) {
  LfsLogin login;
  login.world.put("a.bin", "bytes");
  login.world.repository.commit();
  const fs::path config = login.world.temp.path() / "gitconfig";
  testing::write_file(config,
                      "[credential]\n\thelper = \"!f() { echo username=me; echo "
                      "password=secret; }; f\"\n");
  ::setenv("GIT_CONFIG_GLOBAL", config.c_str(), 1);
  const auto origin = login.world.open();
  const auto tree = must_show(*origin, login.world.rig);
  EXPECT_EQ(bytes_of(*origin, tree.entries.at("a.bin")), "bytes");
  ::setenv("GIT_CONFIG_GLOBAL", "/dev/null", 1);
}

TEST(LfsAccess, NothingGoesFromHttpsToHttp) {
  LfsWorld world(true, {.tls = true});
  world.put("a.bin", "bytes");
  world.repository.commit();
  model::MountOptions options;
  options.ca_cert = world.nginx().ca_path().string();
  const auto origin = world.open(options);
  const auto tree = must_show(*origin, world.rig);
  world.store.behave(R"({"base": "http://127.0.0.1:1/"})");
  EXPECT_EQ(code_of(read_status(*origin, tree.entries.at("a.bin"))), Code::access_denied);
  world.store.behave("{}");
  EXPECT_EQ(bytes_of(*origin, tree.entries.at("a.bin")), "bytes");
}

TEST(LfsSsh, TheServerSaysWhereTheApiIs) {
  LfsWorld world(true, {.bearer_token = "t0ken"});
  world.put("a.bin", "bytes");
  world.repository.commit();
  testing::TempDir temp;
  const fs::path program = temp.path() / "bin/git-lfs-authenticate";
  testing::write_file(program, "#!/bin/sh\necho \"$@\" >> " + (temp.path() / "calls").string() +
                                   "\necho '{\"href\": \"" + world.nginx().url() +
                                   "own\", \"header\": {\"Authorization\": \"Bearer t0ken\"}, "
                                   "\"expires_in\": 600}'\n");
  fs::permissions(program, fs::perms(0755));
  testing::SshdOptions server;
  const fs::path shell = temp.path() / "shell";
  testing::write_file(shell, "#!/bin/sh\nPATH=" + (temp.path() / "bin").string() +
                                 ":$PATH\neval \"$SSH_ORIGINAL_COMMAND\"\n");
  fs::permissions(shell, fs::perms(0755));
  server.extra = "AcceptEnv GIT_PROTOCOL\nForceCommand " + shell.string();
  testing::Sshd sshd(server);
  const fs::path file = temp.path() / "ssh.toml";
  testing::write_file(file, "private-key = '" + (sshd.client_dir() / "id_ed25519").string() +
                                "'\nknown-hosts = '" +
                                (sshd.client_dir() / "known_hosts").string() + "'\n");
  ::chmod(file.c_str(), 0600);
  model::MountOptions options;
  options.lfs = true;
  options.credentials = file.string();
  world.store.behave(R"({"header": {"Authorization": "Bearer t0ken"}, "expires_in": 1})");
  const auto url = *model::parse_source_url("git+ssh://127.0.0.1:" + std::to_string(sshd.port()) +
                                            world.repository.bare().string());
  const auto origin = GitOrigin::open(url, options, temp.path() / "git", world.rig.environment());
  ASSERT_TRUE(origin.ok()) << origin.error().message;
  const auto tree = must_show(**origin, world.rig);
  EXPECT_EQ(bytes_of(**origin, tree.entries.at("a.bin")), "bytes");
  EXPECT_EQ(bytes_of(**origin, tree.entries.at("a.bin")), "bytes");
  EXPECT_EQ(world.store.questions().size(), 2U);
  EXPECT_EQ(testing::read_file(temp.path() / "calls"),
            world.repository.bare().string() + " download\n")
      << "one login for both";
}

}  // namespace
}  // namespace lazyvol::git
