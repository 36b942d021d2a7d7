#include "model/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace lazyvol::model {
namespace {

using namespace std::chrono_literals;

MountOptions parsed(std::string_view text) {
  auto options = parse_mount_options(text);
  EXPECT_TRUE(options.ok()) << text << ": " << (options.ok() ? "" : options.error().message);
  return options.ok() ? *options : MountOptions{};
}

std::string refusal(std::string_view text) {
  const auto options = parse_mount_options(text);
  EXPECT_FALSE(options.ok()) << text;
  return options.ok() ? "" : options.error().message;
}

TEST(MountOptions, EmptyGivesTheDefaults) {
  EXPECT_EQ(parsed(""), MountOptions{});
  EXPECT_EQ(parsed(",,"), MountOptions{});
  EXPECT_EQ(format_mount_options({}), "");
}

TEST(MountOptions, EveryOptionReachesItsField) {
  const auto o = parsed(
      "cache-dir=/"
      "c,cache-size=64M,free-space-ratio=20%,memory-target=1G,metadata-ttl=5,download-limit=10M,"
      "negative-metadata-ttl=indefinite,io-timeout=1.5s,io-retries=3,max-connections=8,prefetch-"
      "profile=/f,"
      "max-readahead=0,prefetch=none,credentials=/k,ca-cert=/p,endpoint=http://h,region=eu-west-1,"
      "profile=me,force-path-style=no,requester-pays,no-sign-request,subdir=/a//b/,uid=1000,gid=0,"
      "file-mode=0640,dir-mode=750,allow-other,default-permissions=false,on-change=reopen,"
      "layout=published,key=ed25519:00,revision=v1.0,refresh=5m,refresh-timeout=3s,"
      "mirror=https://a/b/,mirror=http://c/");
  EXPECT_EQ(o.layout, "published");
  EXPECT_EQ(o.key, "ed25519:00");
  EXPECT_EQ(o.revision, "v1.0");
  EXPECT_EQ(o.refresh, 5min);
  EXPECT_EQ(o.refresh_timeout, 3s);
  EXPECT_EQ(o.mirror, (std::vector<std::string>{"https://a/b/", "http://c/"}));
  EXPECT_EQ(o.cache_dir, "/c");
  EXPECT_EQ(o.cache_size, 64u << 20);
  EXPECT_DOUBLE_EQ(o.free_space_ratio.value(), 0.2);
  EXPECT_EQ(o.memory_target, 1u << 30);
  EXPECT_EQ(o.download_limit, 10u << 20);
  EXPECT_EQ(o.metadata_ttl, 5s);
  EXPECT_EQ(o.negative_metadata_ttl, std::chrono::milliseconds::max());
  EXPECT_EQ(o.io_timeout, 1500ms);
  EXPECT_EQ(o.io_retries, 3u);
  EXPECT_EQ(o.max_connections, 8u);
  EXPECT_EQ(o.prefetch_profile, "/f");
  EXPECT_EQ(o.max_readahead, 0u);
  EXPECT_FALSE(o.prefetch);
  EXPECT_EQ(o.credentials, "/k");
  EXPECT_EQ(o.ca_cert, "/p");
  EXPECT_EQ(o.endpoint, "http://h");
  EXPECT_EQ(o.region, "eu-west-1");
  EXPECT_EQ(o.profile, "me");
  EXPECT_EQ(o.force_path_style, false);
  EXPECT_TRUE(o.requester_pays);
  EXPECT_TRUE(o.no_sign_request);
  EXPECT_EQ(o.subdir, "a/b");
  EXPECT_EQ(o.uid, 1000u);
  EXPECT_EQ(o.gid, 0u);
  EXPECT_EQ(o.file_mode, 0640u);
  EXPECT_EQ(o.dir_mode, 0750u);
  EXPECT_TRUE(o.allow_other);
  EXPECT_FALSE(o.default_permissions);
  EXPECT_EQ(o.on_change, "reopen");
}

TEST(MountOptions, DashAndUnderscoreAreAlikeAndLaterWins) {
  EXPECT_EQ(parsed("metadata_ttl=1,metadata-ttl=2").metadata_ttl, 2s);
  EXPECT_TRUE(parsed("allow_other").allow_other);
  EXPECT_FALSE(parsed("allow_other,allow-other=no").allow_other);
}

TEST(MountOptions, OfPublishedVolumes) {
  EXPECT_EQ(parsed("refresh=never").refresh, 0s);
  EXPECT_EQ(parsed("refresh=indefinite").refresh, 0s);
  EXPECT_NE(refusal("layout=nested").find("none of auto, published, files"), std::string::npos);
  for (const char* text : {"revision=../x", "revision=.x", "revision=a b"}) refusal(text);
  EXPECT_NE(refusal("mirror=https://user:secret@host/").find("credentials"), std::string::npos);
  EXPECT_EQ(refusal("mirror=https://user:secret@host/").find("secret@"), std::string::npos);
  const auto two = parsed("mirror=http://a/,mirror=http://b/");
  EXPECT_EQ(format_mount_options(two), "mirror=http://a/,mirror=http://b/");
  EXPECT_EQ(parsed(format_mount_options(two)), two);
}

TEST(MountOptions, ExecEndsNoexec) {
  EXPECT_TRUE(parsed("noexec").noexec);
  EXPECT_FALSE(parsed("noexec,exec").noexec);
  EXPECT_TRUE(parsed("exec,noexec").noexec);
}

TEST(MountOptions, EscapesKeepCommasAndBackslashes) {
  EXPECT_EQ(parsed(R"(cache-dir=/a\,b,io-retries=1)").cache_dir, "/a,b");
  EXPECT_EQ(parsed(R"(cache-dir=/a\\,io-retries=1)").cache_dir, R"(/a\)");
  EXPECT_EQ(parsed(R"(cache-dir=/a\b)").cache_dir, R"(/a\b)");
  EXPECT_EQ(parsed(R"(cache-dir=/a\)").cache_dir, R"(/a\)");
  EXPECT_EQ(parsed("cache-dir=/a=b").cache_dir, "/a=b");
}

TEST(MountOptions, IgnoresWhatConcernsMountAndBoot) {
  EXPECT_EQ(parsed("ro,_netdev,nofail,noauto,auto,user,users,owner,group,defaults,nosuid,nodev,"
                   "relatime,noatime,x-systemd.automount,x-gvfs-show,"
                   "x-systemd.idle-timeout=1min,comment=anything"),
            MountOptions{});
}

TEST(MountOptions, RefusesToBeWritable) {
  const auto options = parse_mount_options("cache-size=1G,rw");
  ASSERT_FALSE(options.ok());
  EXPECT_EQ(options.error().code, Code::read_only);
}

TEST(MountOptions, ARegionIsNoPartOfAnotherHost) {
  for (const char* region : {"eu.evil.example/", "a b", "x.y", "r@h"}) {
    EXPECT_NE(refusal(std::string("region=") + region), "") << region;
  }
}

TEST(MountOptions, NamesTheUnknownAndTheNearest) {
  EXPECT_EQ(refusal("cache-sise=1G"), "unknown option 'cache-sise' (did you mean 'cache-size'?)");
  EXPECT_EQ(refusal("metadata_tll=1"),
            "unknown option 'metadata-tll' (did you mean 'metadata-ttl'?)");
  EXPECT_EQ(refusal("frobnicate"), "unknown option 'frobnicate'");
  EXPECT_EQ(refusal("=5"), "unknown option ''");
  EXPECT_LT(refusal(std::string(100'000, 'x')).size(), 200u);
}

TEST(MountOptions, NeverRepeatsASecret) {
  for (const char* text : {"password=hunter2", "bearer_token=hunter2", "pasword=hunter2"}) {
    EXPECT_EQ(refusal(text).find("hunter2"), std::string::npos) << text;
  }
  EXPECT_NE(refusal("password=x").find("credentials="), std::string::npos);
}

TEST(MountOptions, RefusesBadValuesNamingTheOption) {
  for (const char* text :
       {"cache-size=big",     "cache-size",        "cache-size=",       "cache-size=31M",
        "free-space-ratio=2", "metadata-ttl=soon", "io-retries=-1",     "io-retries=1001",
        "io-retries=1x",      "download-limit=1K", "max-connections=0", "max-connections=1025",
        "prefetch=maybe",     "subdir=../x",       "subdir=a/../../b",  "uid=root",
        "uid=4294967295",     "file-mode=9",       "file-mode=4755",    "allow-other=perhaps",
        "on-change=panic",    "credentials",       "memory-target=1"}) {
    const std::string name(std::string_view(text).substr(0, std::string_view(text).find("=")));
    const auto options = parse_mount_options(text);
    ASSERT_FALSE(options.ok()) << text;
    EXPECT_EQ(options.error().code, Code::invalid_argument) << text;
    EXPECT_NE(options.error().message.find("'" + name + "'"), std::string::npos)
        << options.error().message;
  }
}

TEST(MountOptions, HelpNamesEveryOptionOnce) {
  std::vector<std::string_view> names;
  for (const auto& help : mount_option_help()) {
    EXPECT_FALSE(help.meaning.empty()) << help.name;
    for (const auto other : names) EXPECT_NE(other, help.name);
    names.push_back(help.name);
  }
  EXPECT_GE(names.size(), 20u);
}

MountOptions random_options(std::mt19937_64& random) {
  const auto chance = [&] { return random() % 2 == 0; };
  const auto path = [&] {
    std::string out = "/";
    for (auto i = random() % 12; i > 0; --i) out.push_back("ab,\\= ./-_%"[random() % 11]);
    return out;
  };
  const auto time = [&] {
    return random() % 5 == 0 ? std::chrono::milliseconds::max()
                             : std::chrono::milliseconds(random() % 10'000'000);
  };
  MountOptions o;
  if (chance()) o.cache_dir = path();
  if (chance()) o.cache_size = (32 << 20) + random() % (1ULL << 62);
  if (chance()) o.free_space_ratio = static_cast<double>(random() % 100'000'007) / 100'000'007.0;
  if (chance()) o.memory_target = (1 << 20) + random() % (1ULL << 40);
  if (chance()) o.metadata_ttl = time();
  if (chance()) o.negative_metadata_ttl = time();
  if (chance()) o.io_timeout = time();
  if (chance()) o.io_retries = static_cast<std::uint32_t>(random() % 1001);
  if (chance()) o.prefetch_profile = "/a,b";
  if (chance()) o.max_connections = static_cast<std::uint32_t>(1 + random() % 1024);
  if (chance()) o.max_readahead = random() % (1ULL << 63);
  o.prefetch = chance();
  if (chance()) o.credentials = path();
  if (chance()) o.ca_cert = path();
  if (chance()) o.subdir = "a b,c/d\\";
  if (chance()) o.uid = static_cast<std::uint32_t>(random() % 0xffffffff);
  if (chance()) o.gid = static_cast<std::uint32_t>(random() % 0xffffffff);
  if (chance()) o.file_mode = static_cast<std::uint32_t>(random() % 01000);
  if (chance()) o.dir_mode = static_cast<std::uint32_t>(random() % 01000);
  o.allow_other = chance();
  o.default_permissions = chance();
  o.noexec = chance();
  if (chance()) o.on_change = "reopen";
  return o;
}

TEST(MountOptions, FormatParsesBackToTheSameValue) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 2000; ++round) {
    const auto options = random_options(random);
    const auto text = format_mount_options(options);
    const auto back = parse_mount_options(text);
    ASSERT_TRUE(back.ok()) << text << ": " << back.error().message;
    ASSERT_EQ(*back, options) << text;
  }
}

TEST(MountOptions, SomeLimitsMayChangeWhileADaemonRuns) {
  EXPECT_TRUE(check_run_time_limits(parsed("download-limit=0")).ok());
  EXPECT_TRUE(check_run_time_limits(parsed("cache-size=1G,free-space-ratio=0.2")).ok());
  const auto nothing = check_run_time_limits(parsed(""));
  ASSERT_FALSE(nothing.ok());
  EXPECT_THAT(nothing.error().message, ::testing::HasSubstr("nothing to change"));
  const auto other = check_run_time_limits(parsed("download-limit=1M,memory-target=1G"));
  ASSERT_FALSE(other.ok());
  EXPECT_THAT(other.error().message, ::testing::HasSubstr("memory-target"));
}

}  // namespace
}  // namespace lazyvol::model
