#include "net/credentials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "support/temp_dir.h"

namespace lazyvol::net {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class CredentialsTest : public ::testing::Test {
 protected:
  void SetUp() override { ::setenv("HOME", dir_.path().c_str(), 1); }

  std::string write(const std::string& name, const std::string& text, mode_t mode = 0600) {
    const std::string path = dir_.path() / name;
    testing::write_file(path, text);
    ::chmod(path.c_str(), mode);
    return path;
  }
  static Error refused(const std::string& path, const std::string& ca = "") {
    auto opened = Credentials::open(path, ca);
    EXPECT_FALSE(opened.ok());
    return opened.ok() ? Error{} : opened.error();
  }

  testing::TempDir dir_;
};

TEST_F(CredentialsTest, WithoutAFileThereIsNoIdentityButTheCa) {
  const std::string ca = write("ca.pem", "x");
  const auto credentials = *Credentials::open("", ca);
  EXPECT_EQ(credentials->current()->ca_cert_path, ca);
  EXPECT_TRUE(credentials->current()->username.empty());
  EXPECT_FALSE(credentials->current()->use_netrc);
  EXPECT_FALSE(credentials->reload());
  EXPECT_EQ(refused("", dir_.path() / "none.pem").code, Code::not_found);
}

TEST_F(CredentialsTest, ReadsKeysAndResolvesPathsBesideTheFile) {
  write("ca.pem", "x");
  write("sub-key.pem", "x");
  const std::string path = write("c.toml",
                                 "username = \"u\"\npassword = \"p\"\nca-cert = \"ca.pem\"\n"
                                 "client-cert = 'sub-key.pem'\nclient-key = '" +
                                     (dir_.path() / "sub-key.pem").string() + "'\n");
  const auto identity = (*Credentials::open(path, ""))->current();
  EXPECT_EQ(identity->username, "u");
  EXPECT_EQ(identity->password, "p");
  EXPECT_EQ(identity->ca_cert_path, dir_.path() / "ca.pem");
  EXPECT_EQ(identity->client_cert_path, dir_.path() / "sub-key.pem");
  EXPECT_EQ(identity->client_key_path, dir_.path() / "sub-key.pem");
  const std::string other = write("other.pem", "x");
  EXPECT_EQ((*Credentials::open(path, other))->current()->ca_cert_path, other) << "the option wins";
}

TEST_F(CredentialsTest, KeysOfSshNeedNoUserName) {
  write("id", "x");
  write("hosts", "x");
  const std::string path =
      write("c.toml", "private-key = 'id'\npassphrase = 'open'\nknown-hosts = 'hosts'\n");
  const auto identity = (*Credentials::open(path, "", CredentialsFor::ssh))->current();
  EXPECT_EQ(identity->private_key_path, dir_.path() / "id");
  EXPECT_EQ(identity->passphrase, "open");
  EXPECT_EQ(identity->known_hosts_path, dir_.path() / "hosts");
  const std::string password = write("p.toml", "password = 'p'");
  EXPECT_TRUE(Credentials::open(password, "", CredentialsFor::ssh).ok());
  EXPECT_THAT(refused(password).message, HasSubstr("password without username"));
  EXPECT_EQ(refused(write("k.toml", "private-key = 'none'")).code, Code::not_found);
}

TEST_F(CredentialsTest, RefusesFilesThatOthersMayRead) {
  for (const mode_t mode : {0640, 0604, 0644, 0660, 0601}) {
    const Error error = refused(write("c.toml", "bearer-token = 't'", mode));
    EXPECT_EQ(error.code, Code::access_denied);
    EXPECT_THAT(error.message, AllOf(HasSubstr("c.toml"), HasSubstr("0600")));
  }
  const std::string path = write("c.toml", "bearer-token = 't'", 0400);
  EXPECT_TRUE(Credentials::open(path, "").ok());
  if (::geteuid() == 0) {
    ASSERT_EQ(::chown(path.c_str(), 65534, 65534), 0);
    EXPECT_THAT(refused(path).message, HasSubstr("another user"));
  }
}

TEST_F(CredentialsTest, RefusesWhatIsNoFile) {
  EXPECT_EQ(refused(dir_.path() / "none").code, Code::not_found);
  EXPECT_EQ(refused(dir_.path()).code, Code::invalid_argument);
  const std::string fifo = dir_.path() / "fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_EQ(refused(fifo).code, Code::invalid_argument) << "and does not wait for a writer";
  EXPECT_EQ(refused(write("big", std::string(70'000, '#'))).code, Code::too_large);
}

TEST_F(CredentialsTest, ExplainsMistakesWithoutShowingValues) {
  const struct {
    const char *text, *hint;
  } table[] = {{"usrname = 'hunter2'", "unknown key 'usrname' (did you mean 'username'?)"},
               {"bearer_token = 'hunter2'", "did you mean 'bearer-token'"},
               {"colour = 'hunter2'", "known: username, password, bearer-token"},
               {"a = 1\nusername = 'u'", "line 1, column 1"},
               {"username = 'u'\npassword = hunter2", "line 2, column"},
               {"username = 'u'\npassword = 'hunter2", "not valid TOML"},
               {"password = 'hunter2'", "password without username"},
               {"username = 'u'\nbearer-token = 'hunter2'", "exclude each other"},
               {"username = 5", "must be a non-empty string"},
               {"username = ''", "must be a non-empty string"},
               {"username = 'hunter2:x'", "must not contain ':'"},
               {"bearer-token = \"hunter2\\r\\nX: y\"", "control character"},
               {"client-key = 'hunter2'", "client-key without client-cert"},
               {"access-key-id = 'hunter2'", "belong together"},
               {"session-token = 'hunter2'", "session-token without access-key-id"},
               {"[username]\nx = 'hunter2'", "must be a non-empty string"}};
  for (const auto& row : table) {
    const Error error = refused(write("c.toml", row.text));
    EXPECT_EQ(error.code, Code::invalid_argument) << row.text;
    EXPECT_THAT(error.message, AllOf(HasSubstr(row.hint), HasSubstr("c.toml"),
                                     Not(HasSubstr("hunter2")), Not(HasSubstr("\n"))));
  }
  EXPECT_EQ(refused(write("c.toml", "ca-cert = 'missing.pem'")).code, Code::not_found);
}

TEST_F(CredentialsTest, ReloadsWhenTheFileChanges) {
  const std::string path = write("c.toml", "bearer-token = 'one'");
  const auto credentials = *Credentials::open(path, "");
  const auto first = credentials->current();
  EXPECT_FALSE(credentials->reload());
  EXPECT_EQ(credentials->current(), first) << "the same object while nothing changes";

  write("next", "bearer-token = 'two'");
  std::filesystem::rename(dir_.path() / "next", path);
  EXPECT_TRUE(credentials->reload());
  EXPECT_EQ(credentials->current()->bearer_token, "two");
  EXPECT_EQ(first->bearer_token, "one") << "what is in use stays";

  write("next", "bearer-token = 'two' # same");
  std::filesystem::rename(dir_.path() / "next", path);
  EXPECT_FALSE(credentials->reload()) << "another file, the same identity";
}

TEST_F(CredentialsTest, ABrokenNewFileKeepsTheOldIdentity) {
  const std::string path = write("c.toml", "bearer-token = 'one'");
  const auto credentials = *Credentials::open(path, "");
  write("c.toml", "bearer-token = broken");
  EXPECT_FALSE(credentials->reload());
  EXPECT_EQ(credentials->current()->bearer_token, "one");
  std::filesystem::remove(path);
  EXPECT_FALSE(credentials->reload());
  write("c.toml", "bearer-token = 'two'", 0644);
  EXPECT_FALSE(credentials->reload());
  EXPECT_EQ(credentials->current()->bearer_token, "one");
  ::chmod(path.c_str(), 0600);
  EXPECT_TRUE(credentials->reload()) << "a repaired mode is a change";
  EXPECT_EQ(credentials->current()->bearer_token, "two");
}

TEST_F(CredentialsTest, UsesNetrcOnlyWhenItIsPrivateAndNothingElseIsGiven) {
  const std::string token = write("t.toml", "bearer-token = 't'");
  const std::string netrc = write(".netrc", "machine h login u password p");
  EXPECT_TRUE((*Credentials::open("", ""))->current()->use_netrc);
  EXPECT_FALSE((*Credentials::open(token, ""))->current()->use_netrc);
  ::chmod(netrc.c_str(), 0644);
  EXPECT_FALSE((*Credentials::open("", ""))->current()->use_netrc);
}

}  // namespace
}  // namespace lazyvol::net
