#include "support/radosgw.h"

#include <fmt/core.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "support/process.h"
#include "support/servers.h"
#include "support/temp_dir.h"

namespace lazyvol::testing {
namespace fs = std::filesystem;
namespace {

constexpr std::chrono::minutes kPatience{3};  // on a machine that is busy with something else

std::string config(const fs::path& dir, const std::string& fsid, std::uint16_t monitor,
                   std::uint16_t gateway) {
  return fmt::format(
      "[global]\nfsid={0}\nmon host=v2:127.0.0.1:{1}\nkeyring={2}/keyring\n"
      "log file={2}/$name.log\nlog to stderr=false\nerr to stderr=true\nrun dir={2}/run\n"
      "admin socket={2}/run/$name.$pid.asok\npid file={2}/run/$name.pid\ncrash dir={2}/run\n"
      "public addr=127.0.0.1\ncluster addr=127.0.0.1\nms bind ipv6=false\n"
      "mon data={2}/mon\nmon initial members=a\nmon allow pool size one=true\n"
      "mon max pg per osd=1000\nmon data avail crit=1\nmon data avail warn=2\n"
      "auth allow insecure global id reclaim=false\n"
      "osd data={2}/osd\nosd objectstore=memstore\nmemstore device bytes=2147483648\n"
      "osd pool default size=1\nosd pool default pg num=1\nosd pool default pg autoscale mode=off\n"
      "osd crush chooseleaf type=0\n"
      "rgw data={2}/rgw\nrgw frontends=beast endpoint=127.0.0.1:{3}\n"
      "rgw thread pool size=64\nrgw cache expiry interval=0\nrgw crypt require ssl=false\n"
      "rgw enable usage log=false\nrgw enable ops log=false\n",
      fsid, monitor, dir.string(), gateway);
}

std::string trimmed(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

}  // namespace

struct Radosgw::Impl {
  TempDir dir;
  std::uint16_t monitor_port = reserve_port();
  std::uint16_t port = reserve_port();
  Process monitor, store, gateway;  // end in reverse order

  std::string in(const std::string& name) const { return (dir.path() / name).string(); }

  [[noreturn]] void give_up(const std::string& why) {
    std::cerr << "radosgw does not start (is it installed?): " << why << "\n";
    for (const char* log : {"mon.a.log", "osd.0.log", "client.rgw.log", "out.log"}) {
      if (!fs::exists(in(log))) continue;
      const std::string text = read_file(in(log));
      std::cerr << "--- " << log << "\n"
                << text.substr(text.size() - std::min<std::size_t>(text.size(), 4096));
    }
    gateway.stop();
    store.stop();
    monitor.stop();
    std::abort();
  }

  std::string must_run(std::vector<std::string> argv) {
    const auto result = run(argv);
    if (result.status != 0) give_up(argv.front() + ": " + result.output);
    return trimmed(result.output);
  }

  /// A Ceph program with this cluster's configuration.
  std::string ceph(std::vector<std::string> argv) {
    argv.insert(argv.begin() + 1, {"-c", in("c.conf")});
    return must_run(std::move(argv));
  }

  Process start(std::vector<std::string> argv) {
    argv.insert(argv.begin() + 1, {"-c", in("c.conf"), "-f"});
    return Process({std::move(argv), {}, in("out.log")});
  }

  void make_keys() {
    must_run({"ceph-authtool", "-C", in("keyring")});
    for (const char* name : {"mon.", "client.admin", "osd.0", "client.rgw"}) {
      must_run({"ceph-authtool", in("keyring"), "--gen-key", "-n", name, "--cap", "mon", "allow *",
                "--cap", "osd", "allow *"});
    }
  }

  void await_gateway() {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (!accepts(port)) {
      if (!monitor.running() || !store.running() || !gateway.running()) give_up("a daemon ended");
      if (std::chrono::steady_clock::now() > end) give_up("it does not listen");
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }

  void start_all() {
    for (const char* name : {"mon", "osd", "rgw", "run"}) fs::create_directory(in(name));
    const std::string fsid = must_run({"uuidgen"}), osd_id = must_run({"uuidgen"});
    write_file(in("c.conf"), config(dir.path(), fsid, monitor_port, port));
    make_keys();
    must_run({"monmaptool", "--create", "--fsid", fsid, "--addv", "a",
              fmt::format("[v2:127.0.0.1:{}]", monitor_port), in("map")});
    ceph({"ceph-mon", "--mkfs", "-i", "a", "--monmap", in("map"), "--keyring", in("keyring")});
    monitor = start({"ceph-mon", "-i", "a"});
    ceph({"ceph", "--connect-timeout", "120", "osd", "new", osd_id});
    ceph({"ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd_id});
    ceph({"ceph", "osd", "crush", "add", "osd.0", "1", "root=default", "host=h"});
    store = start({"ceph-osd", "-i", "0"});
    gateway = start({"radosgw", "-n", "client.rgw"});
    ceph({"radosgw-admin", "-n", "client.rgw", "user", "create", "--uid=t", "--display-name=t",
          std::string("--access-key=") + kAccessKey, std::string("--secret-key=") + kSecretKey});
    await_gateway();
  }
};

Radosgw::Radosgw() : impl_(std::make_unique<Impl>()) {
  impl_->start_all();
}

Radosgw::~Radosgw() = default;

Radosgw& Radosgw::shared() {
  static Radosgw one;
  return one;
}

std::uint16_t Radosgw::port() const {
  return impl_->port;
}

std::string Radosgw::endpoint() const {
  return fmt::format("http://127.0.0.1:{}", impl_->port);
}

void Radosgw::add_key(const std::string& access_key, const std::string& secret_key) {
  impl_->ceph({"radosgw-admin", "-n", "client.rgw", "key", "create", "--uid=t", "--key-type=s3",
               "--access-key=" + access_key, "--secret-key=" + secret_key});
}

void Radosgw::remove_key(const std::string& access_key) {
  impl_->ceph({"radosgw-admin", "-n", "client.rgw", "key", "rm", "--uid=t", "--key-type=s3",
               "--access-key=" + access_key});
}

}  // namespace lazyvol::testing
