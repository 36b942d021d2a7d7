// The origins that the conformance suite runs over.
#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>

#include "source/conformance.h"
#include "source/s3_bucket.h"
#include "support/radosgw.h"
#include "support/servers.h"
#include "support/sshd.h"
#include "support/temp_dir.h"

namespace lazyvol::source {
namespace {

using lazyvol::testing::Nginx;
using lazyvol::testing::NginxOptions;
using lazyvol::testing::OtherWebServer;
using lazyvol::testing::TempDir;

// A tree on the local disk, whoever serves it.
class DiskHost : public Host {
 public:
  DiskHost() { std::filesystem::create_directory(root()); }

  void put(const std::string& path, std::string_view bytes, std::int64_t mtime_s) override {
    const auto full = root() / path;
    lazyvol::testing::write_file(full, bytes);
    const timespec times[2] = {{mtime_s, 0}, {mtime_s, 0}};
    EXPECT_EQ(::utimensat(AT_FDCWD, full.c_str(), times, 0), 0) << full;
  }
  void make_directory(const std::string& path) override {
    std::filesystem::create_directories(root() / path);
  }
  void make_symlink(const std::string& path, const std::string& target) override {
    std::filesystem::create_symlink(target, root() / path);
  }
  void remove(const std::string& path) override { std::filesystem::remove_all(root() / path); }

 protected:
  std::filesystem::path root() const { return dir_.path() / "tree"; }

 private:
  TempDir dir_;
};

class DirHost : public DiskHost {
 public:
  std::shared_ptr<Source> open(Rig& rig) override { return rig.open(root()); }
};

class NginxHost : public DiskHost {
 public:
  explicit NginxHost(bool json) : nginx_(root(), with_index(json)) {}
  std::shared_ptr<Source> open(Rig& rig) override { return rig.open(nginx_.url()); }
  void go_down() override { nginx_.stop(); }
  void come_back() override { nginx_.start(); }

 private:
  static NginxOptions with_index(bool json) {
    NginxOptions options;
    options.json_index = json;
    return options;
  }
  Nginx nginx_;
};

class OtherHost : public DiskHost {
 public:
  explicit OtherHost(OtherWebServer::Kind kind)
      : server_(kind, root()), relay_(port_of(server_.url())) {}
  std::shared_ptr<Source> open(Rig& rig) override {
    return rig.open("http://127.0.0.1:" + std::to_string(relay_.port()) + "/");
  }
  void go_down() override {
    relay_.set_refusing(true);
    relay_.cut_all();
  }
  void come_back() override { relay_.set_refusing(false); }

 private:
  static std::uint16_t port_of(const std::string& url) {
    return static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)));
  }
  OtherWebServer server_;
  lazyvol::testing::Relay relay_;
};

// A bucket of its own, reached through a relay that plays outages.
class S3Host : public Host {
 public:
  S3Host() : relay_(lazyvol::testing::Radosgw::shared().port()) {}

  void put(const std::string& path, std::string_view bytes, std::int64_t) override {
    bucket_.put("tree/" + path, bytes);
  }
  void make_directory(const std::string& path) override { bucket_.put("tree/" + path + "/", {}); }
  void make_symlink(const std::string&, const std::string&) override {
    ADD_FAILURE() << "S3 has no links";
  }
  void remove(const std::string& path) override { bucket_.remove("tree/" + path); }
  std::shared_ptr<Source> open(Rig& rig) override {
    const auto file = dir_.path() / "credentials.toml";
    lazyvol::testing::write_file(
        file, std::string("access-key-id = '") + lazyvol::testing::Radosgw::kAccessKey +
                  "'\nsecret-access-key = '" + lazyvol::testing::Radosgw::kSecretKey + "'\n");
    EXPECT_EQ(::chmod(file.c_str(), 0600), 0);
    model::MountOptions options;
    options.endpoint = "http://127.0.0.1:" + std::to_string(relay_.port());
    options.credentials = file.string();
    return rig.open("s3://" + bucket_.name() + "/tree", options);
  }
  void go_down() override {
    relay_.set_refusing(true);
    relay_.cut_all();
  }
  void come_back() override { relay_.set_refusing(false); }

 private:
  TempDir dir_;
  S3Bucket bucket_;
  lazyvol::testing::Relay relay_;
};

class SftpHost : public DiskHost {
 public:
  SftpHost() { sshd_.trust_port(relay_.port()); }
  std::shared_ptr<Source> open(Rig& rig) override {
    return rig.open("sftp://127.0.0.1:" + std::to_string(relay_.port()) + root().string());
  }
  void go_down() override {
    relay_.set_refusing(true);
    relay_.cut_all();
  }
  void come_back() override { relay_.set_refusing(false); }

 private:
  lazyvol::testing::Sshd sshd_;
  lazyvol::testing::Relay relay_{sshd_.port()};
  lazyvol::testing::SshDirectory client_{sshd_.client_dir()};
};

template <class T, auto... kArgs>
std::unique_ptr<Host> make_host() {
  return std::make_unique<T>(kArgs...);
}

}  // namespace

std::vector<HostKind> host_kinds() {
  using Kind = OtherWebServer::Kind;
  std::vector<HostKind> kinds;
  kinds.push_back({.name = "dir",
                   .make = make_host<DirHost>,
                   .lists_identity = true,
                   .symlinks_are_data = true,
                   .settles_by_mtime = false});
  kinds.push_back({.name = "nginx_json",
                   .make = make_host<NginxHost, true>,
                   .lists_identity = true,
                   .lists_hidden = false,
                   .can_go_down = true});
  kinds.push_back({.name = "nginx_html",
                   .make = make_host<NginxHost, false>,
                   .lists_hidden = false,
                   .can_go_down = true});
  kinds.push_back(
      {.name = "apache", .make = make_host<OtherHost, Kind::apache>, .can_go_down = true});
  kinds.push_back({.name = "caddy",
                   .make = make_host<OtherHost, Kind::caddy>,
                   .lists_identity = true,
                   .can_go_down = true});
  // http.server shows a byte that is not UTF-8 as the lone surrogate by which Python keeps it.
  kinds.push_back({.name = "python",
                   .make = make_host<OtherHost, Kind::python>,
                   .lists_rows = false,
                   .keeps_raw_names = false,
                   .reads_ranges = false,
                   .can_go_down = true});
  // Keys are UTF-8.
  kinds.push_back({.name = "s3",
                   .make = make_host<S3Host>,
                   .lists_identity = true,
                   .keeps_raw_names = false,
                   .sets_mtime = false,
                   .has_symlinks = false,
                   .settles_at_once = true,
                   .can_go_down = true});
  kinds.push_back({.name = "sftp",
                   .make = make_host<SftpHost>,
                   .lists_identity = true,
                   .symlinks_are_data = true,
                   .can_go_down = true});
  return kinds;
}

}  // namespace lazyvol::source
