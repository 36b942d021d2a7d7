#include "support/git_server.h"

#include <fmt/core.h>
#include <signal.h>
#include <stdlib.h>

#include <fstream>
#include <iostream>
#include <utility>

#include "support/process.h"

namespace lazyvol::testing {
namespace fs = std::filesystem;
namespace {

std::string must_git(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "git");
  auto result = run(arguments);
  if (result.status != 0) {
    std::cerr << "git " << arguments.back() << ": " << result.output << std::endl;
    std::abort();
  }
  while (result.output.ends_with('\n')) result.output.pop_back();
  return result.output;
}

void use_own_settings() {
  ::setenv("GIT_CONFIG_GLOBAL", "/dev/null", 1);
  ::setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
  for (const char* who : {"AUTHOR", "COMMITTER"}) {
    ::setenv(fmt::format("GIT_{}_NAME", who).c_str(), "Test", 1);
    ::setenv(fmt::format("GIT_{}_EMAIL", who).c_str(), "test@example.com", 1);
  }
}

}  // namespace

GitRepository::GitRepository() : work_(temp_.path() / "work"), root_(temp_.path() / "served") {
  use_own_settings();
  fs::create_directory(root_);
  must_git({"init", "-q", "-b", "main", work_.string()});
  git({"config", "core.fsync", "none"});
  must_git({"init", "-q", "--bare", "-b", "main", bare().string()});
  configure("uploadpack.allowAnySHA1InWant", "true");
  configure("core.fsync", "none");
  allow_filter(true);
}

void GitRepository::put(const std::string& path, std::string_view bytes, bool program) const {
  write_file(work_ / path, bytes);
  fs::permissions(work_ / path, fs::perms(program ? 0755 : 0644));
}

std::string GitRepository::commit(const std::string& message, std::int64_t date_s) {
  const std::string date = fmt::format("{} +0000", date_s);
  ::setenv("GIT_AUTHOR_DATE", date.c_str(), 1);
  ::setenv("GIT_COMMITTER_DATE", date.c_str(), 1);
  git({"add", "-A"});
  git({"commit", "-q", "--allow-empty", "-m", message});
  git({"push", "-q", "--force", bare().string(), "HEAD:refs/heads/main"});
  return git({"rev-parse", "HEAD"});
}

std::string GitRepository::git(const std::vector<std::string>& arguments) const {
  std::vector<std::string> all{"-C", work_.string()};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return must_git(std::move(all));
}

void GitRepository::configure(const std::string& name, const std::string& value) const {
  must_git({"-C", bare().string(), "config", name, value});
}

void GitRepository::allow_filter(bool allowed) const {
  configure("uploadpack.allowFilter", allowed ? "true" : "false");
}

struct GitHttpServer::Impl {
  TempDir dir;
  Process fcgiwrap;
  std::unique_ptr<Nginx> nginx;
};

GitHttpServer::GitHttpServer(const fs::path& root, GitHttpOptions options)
    : impl_(std::make_unique<Impl>()) {
  const fs::path socket = impl_->dir.path() / "fcgi";
  impl_->fcgiwrap = Process({{"fcgiwrap", "-c", "4", "-s", "unix:" + socket.string()},
                             {{"GIT_CONFIG_GLOBAL", "/dev/null"}},
                             impl_->dir.path() / "log"});
  if (!await([&] { return fs::exists(socket); })) {
    std::cerr << "fcgiwrap does not listen (is it installed?)" << std::endl;
    std::abort();
  }
  NginxOptions nginx;
  nginx.user = options.user;
  nginx.password = options.password;
  nginx.bearer_token = options.bearer_token;
  nginx.tls = options.tls;
  if (!options.lfs.empty()) {
    // $host has no port.
    nginx.extra_server = fmt::format(
        "location /objects/ {{ alias {0}/objects/; }}\n"
        "location ~ ^/(git/repo\\.git/info/lfs|own)/objects/batch$ {{\n"
        "fastcgi_param SCRIPT_FILENAME " LAZYVOL_TEST_SUPPORT
        "/lfs_batch.py;\n"
        "fastcgi_param REQUEST_METHOD $request_method; fastcgi_param CONTENT_TYPE $content_type;\n"
        "fastcgi_param CONTENT_LENGTH $content_length; fastcgi_param HTTP_ACCEPT $http_accept;\n"
        "fastcgi_param HTTP_AUTHORIZATION $http_authorization; fastcgi_param LFS_DIRECTORY {0};\n"
        "fastcgi_param LFS_OWN $scheme://$host:$server_port/objects/;\n"
        "fastcgi_pass unix:{1}; }}\n",
        options.lfs.string(), socket.string());
  }
  nginx.extra_server += fmt::format(
      "location ~ ^/git(/.*)$ {{ client_max_body_size 1m; limit_rate {};\n"
      "fastcgi_param SCRIPT_FILENAME /usr/lib/git-core/git-http-backend;\n"
      "fastcgi_param REQUEST_METHOD $request_method; fastcgi_param QUERY_STRING $query_string;\n"
      "fastcgi_param CONTENT_TYPE $content_type; fastcgi_param CONTENT_LENGTH $content_length;\n"
      "fastcgi_param HTTP_CONTENT_ENCODING $http_content_encoding;\n"
      "fastcgi_param GIT_PROJECT_ROOT {}; fastcgi_param GIT_HTTP_EXPORT_ALL 1;\n"
      "fastcgi_param PATH_INFO $1; {}\nfastcgi_pass unix:{}; }}\n",
      options.bytes_per_second, root.string(),
      options.version2 ? "fastcgi_param GIT_PROTOCOL $http_git_protocol;"
                       : "fastcgi_param HTTP_GIT_PROTOCOL \"\";",
      socket.string());
  impl_->nginx = std::make_unique<Nginx>(impl_->dir.path(), nginx);
}

// fcgiwrap leaves the processes that it started behind.
GitHttpServer::~GitHttpServer() {
  impl_->nginx.reset();
  const pid_t pid = impl_->fcgiwrap.pid();
  std::ifstream children(fmt::format("/proc/{0}/task/{0}/children", pid));
  std::vector<pid_t> family;
  for (pid_t child = 0; children >> child;) family.push_back(child);
  impl_->fcgiwrap.stop();
  for (const pid_t child : family) ::kill(child, SIGTERM);
  print_log_on_failure(impl_->dir.path() / "log");
}

std::string GitHttpServer::url() const {
  return impl_->nginx->url() + "git/repo.git";
}

Nginx& GitHttpServer::nginx() {
  return *impl_->nginx;
}

}  // namespace lazyvol::testing
