// The steps to an authenticated SSH session: configuration, connection, host key, login.
#pragma once

#include "net/http_engine.h"
#include "source/ssh_session.h"
#include "source/ssh_waiter.h"

namespace lazyvol::source {

/// Sets target, ssh_config, known_hosts and preferences on a new session. Errors:
/// invalid_argument for a configuration that libssh cannot read.
Status configure_ssh(ssh_session session, const SshTarget& target,
                     const net::HttpIdentity& identity);
/// Connects, by ProxyCommand where the configuration has one, and exchanges keys. Errors: as
/// SshSession::open.
Status connect_ssh(ssh_session session, SshWaiter& waiter, std::chrono::milliseconds patience,
                   Wakeup& wakeup);
/// Compares the server's key with known_hosts, whatever StrictHostKeyChecking says. Errors:
/// access_denied.
Status check_host_key(ssh_session session);
/// Errors: access_denied, and those of the waiter.
Status log_in(ssh_session session, SshWaiter& waiter, const net::HttpIdentity& identity);

}  // namespace lazyvol::source
