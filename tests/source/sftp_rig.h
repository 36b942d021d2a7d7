// A tree behind a real sshd and a relay, and sources over it.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "source/calls.h"
#include "support/process.h"
#include "support/servers.h"
#include "support/sshd.h"
#include "support/temp_dir.h"

namespace lazyvol::source {

/// The relay's port is known to the client; its fault switches are open to the test.
class SftpRig {
 public:
  explicit SftpRig(testing::SshdOptions options = {}) : sshd(std::move(options)) {
    std::filesystem::create_directory(root());
    sshd.trust_port(relay.port());
  }

  std::filesystem::path root() const { return temp_.path() / "tree"; }
  std::string url(const std::string& below = {}) const {
    return "sftp://127.0.0.1:" + std::to_string(relay.port()) + root().string() + below;
  }
  std::shared_ptr<Source> open(const model::MountOptions& options = {}) {
    return rig.open(url(), options);
  }
  /// A credentials file of these lines.
  std::string credentials(const std::string& text) const {
    const auto path = temp_.path() / "credentials.toml";
    testing::write_file(path, text);
    ::chmod(path.c_str(), 0600);
    return path;
  }
  void put(const std::string& name, std::string_view bytes, std::int64_t mtime_s = 1'600'000'000) {
    testing::write_file(root() / name, bytes);
    set_mtime(root() / name, mtime_s);
  }
  static void set_mtime(const std::filesystem::path& path, std::int64_t mtime_s) {
    const timespec times[2] = {{mtime_s, 0}, {mtime_s, 0}};
    ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
  }

 private:
  testing::TempDir temp_;

 public:
  testing::Sshd sshd;
  testing::Relay relay{sshd.port()};
  testing::SshDirectory client{sshd.client_dir()};
  Rig rig;
};

}  // namespace lazyvol::source
