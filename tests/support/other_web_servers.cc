#include <fmt/core.h>
#include <unistd.h>

#include <fstream>

#include "support/process.h"
#include "support/servers.h"
#include "support/temp_dir.h"

namespace lazyvol::testing {
namespace {

/// Apache refuses to serve as root: it switches to nobody, for whom the tree must be readable.
std::string apache_config(const std::filesystem::path& dir, const std::filesystem::path& root,
                          std::uint16_t port) {
  std::string modules;
  for (const char* name : {"mpm_event", "authz_core", "dir", "mime", "autoindex"}) {
    modules += fmt::format("LoadModule {0}_module /usr/lib/apache2/modules/mod_{0}.so\n", name);
  }
  return fmt::format(
      "{0}ServerName localhost\nListen 127.0.0.1:{1}\nPidFile {2}/httpd.pid\nErrorLog "
      "{2}/error.log\n"
      "DefaultRuntimeDir {2}\nTypesConfig /dev/null\n{3}"
      "DocumentRoot \"{4}\"\nDirectoryIndex disabled\n"
      "<Directory \"{4}\">\nRequire all granted\nOptions Indexes FollowSymLinks\n"
      "IndexOptions FancyIndexing NameWidth=*\n</Directory>\n",
      modules, port, dir.string(), ::geteuid() == 0 ? "User nobody\nGroup nogroup\n" : "",
      root.string());
}

std::string caddy_config(const std::filesystem::path& dir, const std::filesystem::path& root,
                         std::uint16_t port) {
  return fmt::format(
      "{{\n admin off\n auto_https off\n storage file_system {0}/storage\n}}\n"
      "http://127.0.0.1:{1} {{\n bind 127.0.0.1\n root * \"{2}\"\n file_server browse\n}}\n",
      dir.string(), port, root.string());
}

}  // namespace

struct OtherWebServer::Impl {
  TempDir dir;
  std::uint16_t port = reserve_port();
  Process process;
};

OtherWebServer::OtherWebServer(Kind kind, std::filesystem::path root)
    : impl_(std::make_unique<Impl>()) {
  root = std::filesystem::absolute(root);
  const auto& d = impl_->dir.path();
  Process::Spec spec;
  spec.log = d / "error.log";
  switch (kind) {
    case Kind::apache:
      write_file(d / "httpd.conf", apache_config(d, root, impl_->port));
      spec.argv = {"apache2", "-DFOREGROUND", "-d", d.string(), "-f", (d / "httpd.conf").string()};
      break;
    case Kind::caddy:
      write_file(d / "Caddyfile", caddy_config(d, root, impl_->port));
      spec.argv = {"caddy",     "run",      "--adapter",
                   "caddyfile", "--config", (d / "Caddyfile").string()};
      spec.environment = {
          {"HOME", d.string()}, {"XDG_DATA_HOME", d.string()}, {"XDG_CONFIG_HOME", d.string()}};
      break;
    case Kind::python:
      spec.argv = {"/usr/bin/python3", "-m",        "http.server", std::to_string(impl_->port),
                   "--bind",           "127.0.0.1", "--directory", root.string()};
      break;
  }
  impl_->process = start_server(spec, impl_->port);
}

OtherWebServer::~OtherWebServer() {
  impl_->process.stop();
  print_log_on_failure(impl_->dir.path() / "error.log");
}

std::string OtherWebServer::url() const {
  return fmt::format("http://127.0.0.1:{}/", impl_->port);
}

}  // namespace lazyvol::testing
