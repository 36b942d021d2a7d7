// A bucket of a real radosgw on a real kernel mount, through nginx, which counts the requests.
#include <fmt/core.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <optional>

#include "daemon/cli.h"
#include "e2e/world.h"
#include "source/s3_bucket.h"
#include "support/radosgw.h"
#include "support/servers.h"
#include "support/temp_dir.h"

namespace lazyvol::e2e {
namespace {

namespace fs = std::filesystem;
using testing::noise;
using testing::Radosgw;
using testing::write_file;

testing::NginxOptions proxy_options() {
  testing::NginxOptions options;
  options.extra_location = fmt::format(
      "proxy_pass {};\nproxy_set_header Host $http_host;\nproxy_http_version 1.1;\n"
      "proxy_buffering off;\nclient_max_body_size 0;\n",
      Radosgw::shared().endpoint());
  return options;
}

class S3Mount : public ::testing::Test {
 protected:
  S3Mount() : proxy_(world_.origin, proxy_options()) {
    write_file(world_.origin / "empty", "");
    write_file(world_.origin / "small.txt", "hello\n");
    write_file(world_.origin / "big.bin", noise((5 << 20) + 12345, 4));
    write_file(world_.origin / "dir/a b+c%d&e.txt", noise(1000, 5));
    write_file(world_.origin / "dir/sub/\xc3\xbcnicode'\"quotes\".dat", noise(70'000, 6));
    for (int i = 0; i < 50; ++i) {
      write_file(world_.origin / "many" / std::to_string(i),
                 noise(static_cast<std::size_t>(i) * 100, 7));
    }
    for (const auto& name : tree_of(world_.origin)) {
      if (!name.ends_with('/'))
        bucket_.put("top/" + name, testing::read_file(world_.origin / name));
    }
  }

  std::string source() const { return "s3://" + bucket_.name() + "/top"; }
  std::string credentials(const std::string& secret) {
    const fs::path file = dir_.path() / "keys.toml";
    write_file(file, fmt::format("access-key-id = '{}'\nsecret-access-key = '{}'\n",
                                 Radosgw::kAccessKey, secret));
    EXPECT_EQ(::chmod(file.c_str(), 0600), 0);
    return file.string();
  }
  std::string options() {
    return "endpoint=" + proxy_.url() + ",credentials=" + credentials(Radosgw::kSecretKey);
  }

  testing::TempDir dir_;
  World world_;
  source::S3Bucket bucket_;
  testing::Nginx proxy_;
};

struct Asked {
  int listings = 0, heads = 0, gets = 0, others = 0;
  std::uint64_t bytes = 0;  ///< of objects
};

Asked asked(const testing::Nginx& proxy) {
  Asked sum;
  for (const auto& line : proxy.access_log()) {
    const bool listing = line.uri.find("list-type=2") != std::string::npos;
    if (line.method == "HEAD") {
      ++sum.heads;
    } else if (line.method != "GET" || line.status >= 400) {
      ++sum.others;
    } else {
      ++(listing ? sum.listings : sum.gets);
      if (!listing) sum.bytes += line.body_bytes;
    }
  }
  return sum;
}

TEST_F(S3Mount, TheTreeEqualsTheBucketAndEachByteComesOnce) {
  world_.must_mount(source(), options() + ",layout=files");
  EXPECT_EQ(tree_of(world_.mountpoint), tree_of(world_.origin));
  EXPECT_EQ(asked(proxy_).heads, 0) << "listings know everything";
  EXPECT_EQ(asked(proxy_).gets, 0);
  EXPECT_EQ(asked(proxy_).listings, 4) << "one for each directory";
  const fs::path copy = dir_.path() / "copy";
  const auto copied = testing::run({"cp", "-r", world_.mountpoint.string(), copy.string()});
  EXPECT_EQ(copied.status, 0) << copied.output;
  expect_same_tree(world_.origin, copy);
  const auto sum = [&](const fs::path& root) {
    return testing::run({"sh", "-c",
                         "cd \"$0\" && find . -type f -print0 | sort -z | xargs -0 sha256sum",
                         root.string()})
        .output;
  };
  EXPECT_EQ(sum(world_.mountpoint), sum(world_.origin));
  std::uint64_t size = 0;
  for (const auto& name : tree_of(world_.origin)) {
    if (!name.ends_with('/')) size += fs::file_size(world_.origin / name);
  }
  const Asked all = asked(proxy_);
  EXPECT_EQ(all.bytes, size);
  EXPECT_EQ(all.listings, 4);
  EXPECT_EQ(all.heads, 0);
  EXPECT_EQ(all.others, 0) << "no request was refused";
  RecordProperty("gets", all.gets);

  world_.restart();
  proxy_.clear_access_log();
  world_.must_mount(source(), options() + ",layout=files");
  expect_same_tree(world_.origin, world_.mountpoint);
  EXPECT_EQ(asked(proxy_).gets, 0) << "kept from the first life";
}

TEST_F(S3Mount, SecretsStayWhereTheyAre) {
  world_.must_mount(source(), options());
  expect_same_tree(world_.origin / "dir", world_.mountpoint / "dir");
  for (const std::string& text :
       {testing::read_file("/proc/self/mounts"), world_.status().dump(),
        testing::read_file(fmt::format("/proc/{}/cmdline", world_.daemon_pid()))}) {
    EXPECT_EQ(text.find(Radosgw::kSecretKey), std::string::npos);
    EXPECT_EQ(text.find(Radosgw::kAccessKey), std::string::npos);
  }
  EXPECT_NE(testing::read_file("/proc/self/mounts").find(source() + "/ "), std::string::npos);
}

TEST_F(S3Mount, WrongKeysAndWrongPlacesAreOneLine) {
  const auto refused = [&](const std::string& url, const std::string& options,
                           const std::string& mentions) {
    const Ran ran = world_.mount(url, options);
    EXPECT_EQ(ran.status, daemon::kExitMountFailure) << ran.err;
    expect_one_line(ran.err);
    EXPECT_NE(ran.err.find(mentions), std::string::npos) << ran.err;
    EXPECT_EQ(ran.err.find("hunter2"), std::string::npos);
    EXPECT_FALSE(world_.mounted());
  };
  const std::string endpoint = "endpoint=" + proxy_.url();
  proxy_.clear_access_log();
  refused(source(), endpoint + ",credentials=" + credentials("hunter2"), "SignatureDoesNotMatch");
  EXPECT_LE(asked(proxy_).others, 2) << "no storm";
  refused(source(), endpoint + ",no-sign-request", "AccessDenied");
  refused(source() + "/nowhere", options(), "no object below");
  refused("s3://no-such-bucket", options(), "NoSuchBucket");
  refused(source(), options() + ",profile=nobody", "profile 'nobody'");
  refused(source(), "endpoint=nonsense", "endpoint");
}

TEST_F(S3Mount, TheEnvironmentOfWhoeverStartsTheDaemonCounts) {
  ::setenv("AWS_ACCESS_KEY_ID", Radosgw::kAccessKey, 1);
  ::setenv("AWS_SECRET_ACCESS_KEY", Radosgw::kSecretKey, 1);
  world_.must_mount(source(), "endpoint=" + proxy_.url());
  ::unsetenv("AWS_ACCESS_KEY_ID");
  ::unsetenv("AWS_SECRET_ACCESS_KEY");
  expect_same_tree(world_.origin / "dir", world_.mountpoint / "dir");
}

TEST_F(S3Mount, AReplacedObjectIsAnotherFile) {
  world_.must_mount(source(), options() + ",metadata-ttl=0");
  EXPECT_EQ(testing::read_file(world_.mountpoint / "small.txt"), "hello\n");
  bucket_.put("top/small.txt", "other\n");
  bucket_.put("top/new/file", "new");
  bucket_.remove("top/empty");
  EXPECT_TRUE(
      eventually([&] { return testing::read_file(world_.mountpoint / "small.txt") == "other\n"; }));
  EXPECT_TRUE(eventually([&] { return fs::exists(world_.mountpoint / "new/file"); }));
  EXPECT_TRUE(eventually([&] { return !fs::exists(world_.mountpoint / "empty"); }));
}

}  // namespace
}  // namespace lazyvol::e2e
