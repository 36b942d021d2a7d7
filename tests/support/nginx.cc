#include <arpa/inet.h>
#include <fmt/core.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <sstream>

#include "support/process.h"
#include "support/servers.h"
#include "support/temp_dir.h"

namespace lazyvol::testing {
namespace {

void must_run(const std::vector<std::string>& argv) {
  const auto result = run(argv);
  if (result.status == 0) return;
  std::cerr << argv.front() << " failed: " << result.output << std::endl;
  std::abort();
}

/// A CA, and a certificate of it for localhost.
void make_certificates(const std::filesystem::path& dir) {
  const auto in = [&](const char* name) { return (dir / name).string(); };
  write_file(dir / "leaf.ext",
             "subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n");
  must_run({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-days", "2", "-subj", "/CN=lazyvol test CA", "-keyout", in("ca.key"), "-out",
            in("ca.pem"), "-addext", "keyUsage=critical,keyCertSign"});
  must_run({"openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", "/CN=localhost", "-keyout", in("leaf.key"), "-out", in("leaf.csr")});
  must_run({"openssl", "x509", "-req", "-in", in("leaf.csr"), "-CA", in("ca.pem"), "-CAkey",
            in("ca.key"), "-CAcreateserial", "-days", "2", "-extfile", in("leaf.ext"), "-out",
            in("leaf.pem")});
}

}  // namespace

struct Nginx::Impl {
  std::filesystem::path root;
  NginxOptions options;
  TempDir dir;
  std::uint16_t port = reserve_port();
  std::uint16_t probe_port = reserve_port();
  Process process;
  mutable std::uint64_t probes = 0;
  std::size_t log_start = 0;  // clear_access_log() forgets what lies before

  std::filesystem::path access_path() const { return dir.path() / "access.log"; }
  std::filesystem::path error_path() const { return dir.path() / "error.log"; }
  std::string config() const;
  void probe() const;
  std::string log_text() const;
};

// One worker: it writes its log lines in the order in which it finished requests, which probe()
// relies on.
std::string Nginx::Impl::config() const {
  const std::string d = dir.path().string();
  std::string auth;
  if (!options.user.empty()) {
    auth += fmt::format("auth_basic test; auth_basic_user_file {}/htpasswd;\n", d);
  }
  if (!options.bearer_token.empty()) {
    auth += fmt::format("if ($http_authorization != \"Bearer {}\") {{ return 401; }}\n",
                        options.bearer_token);
  }
  std::string tls;
  if (options.tls) {
    tls = fmt::format("ssl_certificate {0}/leaf.pem; ssl_certificate_key {0}/leaf.key;\n", d);
  }
  std::string temp_paths;
  for (const char* kind : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"}) {
    temp_paths += fmt::format("{}_temp_path {}/{};\n", kind, d, kind);
  }
  return fmt::format(
      "daemon off; worker_processes 1; pid {0}/nginx.pid; error_log {0}/error.log info;\n{1}"
      "events {{ worker_connections 4096; }}\n"
      "http {{\n{2}"
      "log_format test escape=none '$server_port\\t$request_method\\t$request_uri\\t$http_range\\t"
      "$status\\t$body_bytes_sent';\n"
      "access_log {0}/access.log test;\n"
      "default_type application/octet-stream; sendfile on; tcp_nopush on; keepalive_requests "
      "1000000;\n"
      "index .no-index-file;\n"
      "server {{ listen 127.0.0.1:{3}; location / {{ return 204; }} }}\n"
      "server {{ listen 127.0.0.1:{4}{5}; server_name localhost;\n{6}{7}{8}\n"
      "root \"{9}\";\n"
      "location / {{ autoindex on; autoindex_format {10};\n{11}\n}} }}\n}}\n",
      d, ::geteuid() == 0 ? "user root root;\n" : "", temp_paths, probe_port, port,
      options.tls ? " ssl http2" : "", tls, auth, options.extra_server, root.string(),
      options.json_index ? "json" : "html", options.extra_location);
}

/// Returns when the log holds every request that was answered before the call: nginx writes a line
/// after the response, so a client may be faster than the log.
void Nginx::Impl::probe() const {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(probe_port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const std::string uri = fmt::format("/probe-{}", ++probes);
  const std::string request = fmt::format("GET {} HTTP/1.0\r\n\r\n", uri);
  bool sent = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  sent = sent && ::send(fd, request.data(), request.size(), MSG_NOSIGNAL) > 0;
  char byte = 0;
  while (sent && ::recv(fd, &byte, 1, 0) > 0) {
  }
  ::close(fd);
  if (!sent) return;
  const std::string line = fmt::format("\tGET\t{}\t", uri);
  if (!await([&] { return read_file(access_path()).find(line) != std::string::npos; })) {
    ADD_FAILURE() << "nginx does not write its log";
  }
}

std::string Nginx::Impl::log_text() const {
  if (process.pid() > 0) probe();
  return std::filesystem::exists(access_path()) ? read_file(access_path()) : std::string();
}

Nginx::Nginx(std::filesystem::path root, NginxOptions options) : impl_(std::make_unique<Impl>()) {
  impl_->root = std::filesystem::absolute(root);
  impl_->options = std::move(options);
  const auto& d = impl_->dir.path();
  if (impl_->options.tls) make_certificates(d);
  if (!impl_->options.user.empty()) {
    write_file(d / "htpasswd",
               fmt::format("{}:{{PLAIN}}{}\n", impl_->options.user, impl_->options.password));
  }
  write_file(d / "nginx.conf", impl_->config());
  start();
}

Nginx::~Nginx() {
  stop();
  print_log_on_failure(impl_->error_path());
}

std::string Nginx::url() const {
  return fmt::format("{}:{}/", impl_->options.tls ? "https://localhost" : "http://127.0.0.1",
                     impl_->port);
}

std::uint16_t Nginx::port() const {
  return impl_->port;
}

std::filesystem::path Nginx::ca_path() const {
  return impl_->dir.path() / "ca.pem";
}

void Nginx::stop() {
  impl_->process.stop();
}

void Nginx::start() {
  if (impl_->process.running()) return;
  const auto& d = impl_->dir.path();
  impl_->process = start_server({{"nginx", "-p", d.string(), "-e", impl_->error_path().string(),
                                  "-c", (d / "nginx.conf").string()},
                                 {},
                                 impl_->error_path()},
                                impl_->port);
}

std::vector<AccessLine> Nginx::access_log() const {
  const std::string text = impl_->log_text();
  std::istringstream lines(text.substr(std::min(impl_->log_start, text.size())));
  std::vector<AccessLine> out;
  const std::string own_port = std::to_string(impl_->port);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    std::string port, status, bytes;
    AccessLine entry;
    std::getline(fields, port, '\t');
    std::getline(fields, entry.method, '\t');
    std::getline(fields, entry.uri, '\t');
    std::getline(fields, entry.range, '\t');
    std::getline(fields, status, '\t');
    std::getline(fields, bytes, '\t');
    if (port != own_port || bytes.empty()) continue;
    entry.status = std::stoi(status);
    entry.body_bytes = std::stoull(bytes);
    out.push_back(std::move(entry));
  }
  return out;
}

void Nginx::clear_access_log() {
  impl_->log_start = impl_->log_text().size();
}

std::uint64_t Nginx::body_bytes_sent() const {
  std::uint64_t sum = 0;
  for (const auto& line : access_log()) sum += line.body_bytes;
  return sum;
}

}  // namespace lazyvol::testing
