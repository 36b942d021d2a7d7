// Login: keys, agent, password.
#include <fmt/core.h>

#include <algorithm>
#include <string>
#include <utility>

#include "net/secret_file.h"
#include "source/paths.h"
#include "source/ssh_login.h"

namespace lazyvol::source {
namespace {

Error refused(const std::string& why) {
  return Error{Code::access_denied, why};
}

std::string methods(int bits) {
  std::string out;
  const auto add = [&](int bit, const char* name) {
    if (bits & bit) (out += out.empty() ? "" : ", ") += name;
  };
  add(SSH_AUTH_METHOD_PUBLICKEY, "publickey");
  add(SSH_AUTH_METHOD_PASSWORD, "password");
  add(SSH_AUTH_METHOD_INTERACTIVE, "keyboard-interactive");
  add(SSH_AUTH_METHOD_GSSAPI_MIC, "gssapi");
  add(SSH_AUTH_METHOD_HOSTBASED, "hostbased");
  return out.empty() ? "nothing" : out;
}

// One login under way: what was tried, for the message of its failure.
class Login {
 public:
  Login(ssh_session session, SshWaiter& waiter, const net::HttpIdentity& identity)
      : session_(session), waiter_(waiter), identity_(identity) {}

  Status run();

 private:
  Result<bool> attempt(const char* name, const std::function<int()>& call);
  Result<bool> own_key();
  Result<bool> found_keys();
  Result<bool> password();
  int interactive();
  Error failure() const;

  const ssh_session session_;
  SshWaiter& waiter_;
  const net::HttpIdentity& identity_;
  std::string tried_;
  bool asked_ = false;
};

// True when it let us in; false when the server refused it, or wants another method besides.
Result<bool> Login::attempt(const char* name, const std::function<int()>& call) {
  LAZYVOL_TRY_ASSIGN(const int rc, waiter_.complete(call, SSH_AUTH_AGAIN));
  (tried_ += tried_.empty() ? "" : ", ") += name;
  if (rc == SSH_AUTH_ERROR && !ssh_is_connected(session_)) {
    // A server that has had enough says so; a line that breaks proves nothing about the login.
    const std::string why = waiter_.last_error();
    if (why.find("DISCONNECT") == std::string::npos) return Error{Code::unreachable, why};
    return refused(fmt::format("login failed: the server ended it after {} ({})", tried_, why));
  }
  return rc == SSH_AUTH_SUCCESS;
}

Result<bool> Login::own_key() {
  LAZYVOL_TRY_ASSIGN(const net::SecretFile file, net::read_secret_file(identity_.private_key_path));
  ssh_key raw = nullptr;
  // An empty passphrase, not none: OpenSSL would ask for it on the terminal.
  if (ssh_pki_import_privkey_base64(file.bytes.c_str(), identity_.passphrase.c_str(), nullptr,
                                    nullptr, &raw) != SSH_OK) {
    return refused(identity_.private_key_path +
                   (identity_.passphrase.empty()
                        ? ": not a private key, or one that needs the key 'passphrase' of the "
                          "credentials file"
                        : ": not a private key, or the passphrase is wrong"));
  }
  const SshKey key(raw);
  return attempt("the private key",
                 [&] { return ssh_userauth_publickey(session_, nullptr, key.get()); });
}

Result<bool> Login::found_keys() {
  return attempt("agent and identities", [&] {
    return ssh_userauth_publickey_auto(session_, nullptr, identity_.passphrase.c_str());
  });
}

Result<bool> Login::password() {
  const int offered = ssh_userauth_list(session_, nullptr);
  if (offered & SSH_AUTH_METHOD_PASSWORD) {
    return attempt("password", [&] {
      return ssh_userauth_password(session_, nullptr, identity_.password.c_str());
    });
  }
  if (offered & SSH_AUTH_METHOD_INTERACTIVE) {
    return attempt("keyboard-interactive", [&] { return interactive(); });
  }
  return false;
}

// Answers each hidden question with the password, once: a second round of questions means that it
// was wrong, or that something else is wanted.
int Login::interactive() {
  for (;;) {
    const int rc = ssh_userauth_kbdint(session_, nullptr, nullptr);
    if (rc != SSH_AUTH_INFO) return rc;
    const int prompts = ssh_userauth_kbdint_getnprompts(session_);
    if (prompts > 0 && std::exchange(asked_, true)) return SSH_AUTH_DENIED;
    for (int i = 0; i < prompts; ++i) {
      char echo = 0;
      ssh_userauth_kbdint_getprompt(session_, static_cast<unsigned>(i), &echo);
      const char* answer = echo ? "" : identity_.password.c_str();
      if (ssh_userauth_kbdint_setanswer(session_, static_cast<unsigned>(i), answer) < 0) {
        return SSH_AUTH_ERROR;
      }
    }
  }
}

Error Login::failure() const {
  char* user = nullptr;
  std::string name = "?";
  if (ssh_options_get(session_, SSH_OPTIONS_USER, &user) == SSH_OK && user != nullptr) {
    name = printable(user);
    ssh_string_free_char(user);
  }
  return refused(fmt::format("login of user '{}' refused (tried: {}; the server accepts: {})", name,
                             tried_.empty() ? "nothing" : tried_,
                             methods(ssh_userauth_list(session_, nullptr))));
}

Status Login::run() {
  LAZYVOL_TRY_ASSIGN(bool in,
                     attempt("none", [&] { return ssh_userauth_none(session_, nullptr); }));
  tried_.clear();  // everybody tries that: it asks for the list of methods
  if (in) return {};
  if (ssh_userauth_list(session_, nullptr) & SSH_AUTH_METHOD_PUBLICKEY) {
    LAZYVOL_TRY_ASSIGN(in, identity_.private_key_path.empty() ? found_keys() : own_key());
    if (in) return {};
  }
  if (!identity_.password.empty()) {
    LAZYVOL_TRY_ASSIGN(in, password());
    if (in) return {};
  }
  return failure();
}

}  // namespace

Status log_in(ssh_session session, SshWaiter& waiter, const net::HttpIdentity& identity) {
  return Login(session, waiter, identity).run();
}

}  // namespace lazyvol::source
