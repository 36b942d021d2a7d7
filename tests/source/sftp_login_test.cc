// Who gets in to an sftp source, and what is said to those who do not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <future>
#include <vector>

#include "source/sftp_rig.h"
#include "support/password_sshd.h"

namespace lazyvol::source {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class SftpLogin : public ::testing::Test {
 protected:
  SftpLogin() { rig_.put("f", "12345"); }

  static std::string one_line(const Result<RemoteEntry>& result) {
    EXPECT_FALSE(result.ok());
    if (result.ok()) return {};
    EXPECT_EQ(result.error().code, Code::access_denied) << result.error().message;
    EXPECT_EQ(std::count(result.error().message.begin(), result.error().message.end(), '\n'), 0);
    return result.error().message;
  }
  fs::path client() const { return rig_.sshd.client_dir(); }
  void write_client(const std::string& name, const std::string& text) {
    testing::write_file(client() / name, text);
  }
  model::MountOptions with(const std::string& credentials) const {
    model::MountOptions options;
    options.credentials = rig_.credentials(credentials);
    return options;
  }
  /// The server refuses id_ed25519; what may log in is elsewhere.
  fs::path move_key_away(const std::string& passphrase = {}) {
    fs::remove(client() / "id_ed25519");
    fs::remove(client() / "id_ed25519.pub");
    const fs::path key = client().parent_path() / "elsewhere";
    testing::make_ssh_key(key, passphrase);
    rig_.sshd.authorize(key.string() + ".pub");
    return key;
  }

  SftpRig rig_;
};

TEST_F(SftpLogin, AnIdentityOfTheSshDirectory) {
  const auto entry = stat(*rig_.open(), "f");
  ASSERT_TRUE(entry.ok()) << entry.error().message;
  EXPECT_EQ(rig_.sshd.logged("Accepted publickey"), 1);
}

TEST_F(SftpLogin, AnUnknownHostKeyNamesTheFix) {
  fs::remove(client() / "known_hosts");
  const std::string fingerprint =
      testing::run({"ssh-keygen", "-lf", (client().parent_path() / "host_key.pub").string()})
          .output;
  const std::string said = one_line(stat(*rig_.open(), "f"));
  EXPECT_THAT(said, AllOf(HasSubstr("ssh-keyscan -p " + std::to_string(rig_.relay.port())),
                          HasSubstr((client() / "known_hosts").string())));
  const auto at = fingerprint.find("SHA256:");
  ASSERT_NE(at, std::string::npos);
  EXPECT_THAT(said, HasSubstr(fingerprint.substr(at, 50)));
  EXPECT_EQ(rig_.sshd.logged("Accepted"), 0) << "no credential was shown to a stranger";
  EXPECT_EQ(rig_.sshd.logged("Failed"), 0);
}

TEST_F(SftpLogin, AChangedHostKeyIsSaidToBeChanged) {
  testing::make_ssh_key(client() / "other");
  std::string other = testing::read_file(client() / "other.pub");
  other.resize(other.rfind(' '));
  write_client("known_hosts",
               "[127.0.0.1]:" + std::to_string(rig_.relay.port()) + " " + other + "\n");
  EXPECT_THAT(one_line(stat(*rig_.open(), "f")), AllOf(HasSubstr("CHANGED"), HasSubstr("-R")));
  EXPECT_EQ(rig_.sshd.logged("Accepted"), 0);
}

TEST_F(SftpLogin, StrictHostKeyCheckingCannotBeTurnedOff) {
  fs::remove(client() / "known_hosts");
  write_client("config", "Host *\n  StrictHostKeyChecking no\n");
  EXPECT_THAT(one_line(stat(*rig_.open(), "f")), HasSubstr("ssh-keyscan"));
}

TEST_F(SftpLogin, KnownHostsOfTheCredentialsFileAlone) {
  fs::rename(client() / "known_hosts", client() / "other_hosts");
  const auto options = with("known-hosts = '" + (client() / "other_hosts").string() + "'");
  EXPECT_TRUE(stat(*rig_.open(options), "f").ok());
}

TEST_F(SftpLogin, AWrongKeyIsRefusedWithoutAStorm) {
  move_key_away();
  testing::make_ssh_key(client() / "id_ed25519");
  const auto source = rig_.open();
  EXPECT_THAT(one_line(stat(*source, "f")), AllOf(HasSubstr("refused"), HasSubstr("publickey")));
  for (int i = 0; i < 30; ++i) one_line(stat(*source, "f"));
  std::vector<std::future<ReadOutcome>> reads;
  for (int i = 0; i < 8; ++i) {
    reads.push_back(std::async(std::launch::async, [&] { return read(*source, "f", {}, 0, 5); }));
  }
  for (auto& one : reads) EXPECT_EQ(code_of(one.get().status), Code::access_denied);
  EXPECT_EQ(rig_.sshd.logged("Failed publickey"), 1) << "one login, whoever asks";
  EXPECT_EQ(rig_.relay.connections(), 1U);
}

TEST_F(SftpLogin, NewCredentialsAreTriedAtOnce) {
  const fs::path key = move_key_away();
  const auto options = with("known-hosts = '" + (client() / "known_hosts").string() + "'");
  const auto source = rig_.open(options);
  one_line(stat(*source, "f"));
  rig_.credentials("private-key = '" + key.string() + "'");
  EXPECT_TRUE(testing::await([&] { return stat(*source, "f").ok(); }));
}

TEST_F(SftpLogin, AnEncryptedKeyOfTheCredentialsFile) {
  const fs::path key = move_key_away("open sesame");
  const std::string line = "private-key = '" + key.string() + "'\n";
  EXPECT_TRUE(stat(*rig_.open(with(line + "passphrase = 'open sesame'")), "f").ok());
  EXPECT_THAT(one_line(stat(*rig_.open(with(line)), "f")), HasSubstr("'passphrase'"));
  EXPECT_THAT(one_line(stat(*rig_.open(with(line + "passphrase = 'sesame'")), "f")),
              AllOf(HasSubstr("passphrase is wrong"), Not(HasSubstr("'sesame'"))));
}

TEST_F(SftpLogin, AKeyThatOthersMayReadIsNotUsed) {
  const fs::path key = move_key_away();
  ::chmod(key.c_str(), 0644);
  EXPECT_THAT(one_line(stat(*rig_.open(with("private-key = '" + key.string() + "'")), "f")),
              HasSubstr("0600"));
}

TEST_F(SftpLogin, AKeyOfTheAgent) {
  const fs::path key = move_key_away();
  const std::string socket = client() / "agent";
  testing::Process::Spec spec;
  spec.argv = {"ssh-agent", "-D", "-a", socket};
  spec.log = client() / "agent.log";
  testing::Process agent(spec);
  ASSERT_TRUE(testing::await([&] { return fs::exists(socket); }));
  ::setenv("SSH_AUTH_SOCK", socket.c_str(), 1);
  ASSERT_EQ(testing::run({"ssh-add", "-q", key}).status, 0);
  fs::remove(key);
  const auto entry = stat(*rig_.open(), "f");
  EXPECT_TRUE(entry.ok()) << entry.error().message;
  ::unsetenv("SSH_AUTH_SOCK");
}

TEST_F(SftpLogin, AnAliasOfSshConfig) {
  const fs::path key = move_key_away();
  const std::string user = ::getpwuid(::geteuid())->pw_name;
  write_client("config", "Host Data-Box\n  HostName 127.0.0.1\n  Port " +
                             std::to_string(rig_.relay.port()) + "\n  User " + user +
                             "\n  IdentityFile " + key.string() + "\n");
  const auto source = rig_.rig.open("ssh://Data-Box" + rig_.root().string());
  const auto entry = stat(*source, "f");
  EXPECT_TRUE(entry.ok()) << entry.error().message;
  EXPECT_EQ(source->traits().display, "sftp://Data-Box" + rig_.root().string());
}

TEST_F(SftpLogin, AProxyCommandOfSshConfig) {
  write_client("config", "Host far\n  HostName 127.0.0.1\n  Port " +
                             std::to_string(rig_.relay.port()) +
                             "\n  ProxyCommand ssh -q -F none -o UserKnownHostsFile=" +
                             (client() / "known_hosts").string() + " -i " +
                             (client() / "id_ed25519").string() + " -p " +
                             std::to_string(rig_.sshd.port()) + " -W %h:%p 127.0.0.1\n");
  const auto entry = stat(*rig_.rig.open("sftp://far" + rig_.root().string()), "f");
  EXPECT_TRUE(entry.ok()) << entry.error().message;
}

TEST_F(SftpLogin, TheUserOfTheUrlWins) {
  write_client("config", "Host *\n  User " + std::string(::getpwuid(::geteuid())->pw_name) + "\n");
  const std::string url = "sftp://nobody-here@127.0.0.1:" + std::to_string(rig_.relay.port()) + "/";
  EXPECT_THAT(one_line(stat(*rig_.rig.open(url), "")), HasSubstr("'nobody-here'"));
}

TEST_F(SftpLogin, ADirectoryBelowTheHome) {
  const fs::path home = ::getpwuid(::geteuid())->pw_dir;
  const auto name = "lazyvol-test-" + std::to_string(::getpid());
  fs::create_directory(home / name);
  testing::write_file(home / name / "g", "home");
  const std::string base = "sftp://127.0.0.1:" + std::to_string(rig_.relay.port());
  EXPECT_EQ(read(*rig_.rig.open(base + "/~/" + name), "g", {}, 0, 10).bytes, "home");
  const auto at_home = rig_.rig.open(base + "/~");
  EXPECT_TRUE(stat(*at_home, name).ok());
  EXPECT_NE(find(*list(*at_home, ""), name), nullptr);
  fs::remove_all(home / name);
}

class SftpPassword : public ::testing::TestWithParam<testing::PasswordSshd::Method> {
 protected:
  std::shared_ptr<Source> open(const std::string& user, const std::string& lines) {
    testing::write_file(dir_.path() / "c.toml",
                        "known-hosts = '" + server_.known_hosts().string() + "'\n" + lines);
    ::chmod((dir_.path() / "c.toml").c_str(), 0600);
    testing::write_file(dir_.path() / "f", "12345");
    model::MountOptions options;
    options.credentials = dir_.path() / "c.toml";
    options.max_connections = 1;
    return rig_.open(
        "sftp://" + user + "127.0.0.1:" + std::to_string(server_.port()) + dir_.path().string(),
        options);
  }

  testing::TempDir dir_;
  testing::PasswordSshd server_{GetParam(), "open sesame"};
  testing::SshDirectory client_{dir_.path()};
  Rig rig_;
};

TEST_P(SftpPassword, OfTheCredentialsFileLetsIn) {
  EXPECT_EQ(read(*open("user@", "password = 'open sesame'\n"), "f", {}, 0, 10).bytes, "12345");
  const auto entry = stat(*open("", "username = 'user'\npassword = 'open sesame'\n"), "f");
  EXPECT_TRUE(entry.ok()) << entry.error().message;
  EXPECT_EQ(server_.refusals(), 0);
}

TEST_P(SftpPassword, ThatIsWrongIsShownOnce) {
  const auto source = open("user@", "password = 'close sesame'\n");
  for (int i = 0; i < 20; ++i) {
    const auto entry = stat(*source, "f");
    EXPECT_EQ(code_of(entry), Code::access_denied);
    EXPECT_THAT(entry.error().message, AllOf(HasSubstr("refused"), Not(HasSubstr("sesame"))));
  }
  EXPECT_EQ(server_.refusals(), 1);
}

INSTANTIATE_TEST_SUITE_P(Methods, SftpPassword,
                         ::testing::Values(testing::PasswordSshd::Method::password,
                                           testing::PasswordSshd::Method::keyboard_interactive),
                         [](const auto& method) {
                           return method.param == testing::PasswordSshd::Method::password
                                      ? "password"
                                      : "interactive";
                         });

TEST(SftpRefusals, AServerWithoutSftp) {
  testing::SshdOptions options;
  options.subsystem = "/bin/false";
  SftpRig rig(options);
  model::MountOptions mount;
  mount.io_retries = 1;
  EXPECT_FALSE(stat(*rig.open(mount), "f").ok());
}

TEST(SftpRefusals, ALoginThatIsCutOffIsNoRefusal) {
  SftpRig rig;
  rig.put("f", "12345");
  const auto source = rig.open();
  for (std::uint64_t bytes = 100; bytes < 4'000; bytes += 150) {
    rig.relay.set_cut_after(bytes);
    const auto outcome = read(*source, "f", {}, 0, 5);
    if (outcome.status.ok()) break;
    EXPECT_TRUE(is_transient(outcome.status.error().code))
        << bytes << ": " << outcome.status.error().message;
  }
  rig.relay.set_cut_after(0);
  EXPECT_TRUE(stat(*source, "f").ok());
}

TEST(SftpRefusals, NoCommonCipherIsNoReasonToTryAgain) {
  testing::SshdOptions options;
  options.extra = "Ciphers aes256-cbc\n";
  SftpRig rig(options);
  const auto answer = stat(*rig.open(), "f");
  EXPECT_EQ(code_of(answer), Code::unsupported) << answer.error().message;
  EXPECT_EQ(rig.relay.connections(), 1U);
}

}  // namespace
}  // namespace lazyvol::source
