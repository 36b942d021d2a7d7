#include "source/sftp_tree.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "source/index_names.h"
#include "source/paths.h"
#include "source/sftp_attributes.h"
#include "source/sftp_reply.h"

namespace lazyvol::source {
namespace {

std::string shown(const std::string& path) {
  return path.empty() ? std::string("the root") : printable(path);
}

Result<std::string> expect_target(Result<SftpReply> reply, const std::string& what) {
  LAZYVOL_TRY_ASSIGN(SftpNames names, expect_sftp<SftpNames>(std::move(reply), what));
  if (names.names.size() != 1) return Error{Code::corrupt, what + ": not one target"};
  return std::move(names.names.front().name);
}

/// A directory being listed, on its connection's thread.
class List : public std::enable_shared_from_this<List> {
 public:
  using Call = std::shared_ptr<SftpCall<Listing>>;
  List(std::shared_ptr<const SftpRoot> root, std::string path, std::shared_ptr<SftpLease> lease,
       Call call)
      : root_(std::move(root)), path_(std::move(path)), lease_(std::move(lease)), call_(call) {}

  void start();

 private:
  void open();
  void ask();
  void take_names(Result<SftpReply> reply);
  Status add(SftpName name);
  void complete_next();
  void take_attributes(std::size_t index, Result<SftpReply> reply);
  void take_target(std::size_t index, Result<SftpReply> reply);
  void finish_if_done();
  void finish(Result<Listing> result);
  void send(SftpType type, const std::string& path,
            void (List::*take)(std::size_t, Result<SftpReply>), std::size_t index);
  std::string what(const char* verb) const { return verb + shown(path_); }
  SftpConnection& connection() const { return lease_->connection(); }

  static constexpr std::size_t kMostInFlight = 64;
  // OpenSSH puts 100 names into a part: most directories come whole, with the end of them, in the
  // round trip after the one that opened them.
  static constexpr std::size_t kFirstParts = 8;

  const std::shared_ptr<const SftpRoot> root_;
  const std::string path_;
  const std::shared_ptr<SftpLease> lease_;
  const Call call_;
  std::optional<Error> lstat_error_;
  std::string handle_;
  Listing listing_;
  std::deque<std::size_t> incomplete_;  // entries whose type or target is still to be asked
  std::vector<bool> gone_;              // entries that vanished meanwhile; as long as entries
  std::size_t parts_wanted_ = kFirstParts, parts_in_flight_ = 0, details_in_flight_ = 0;
  bool end_seen_ = false, over_ = false;
};

// Whether it is a directory is asked along with opening it: servers tell "no such file" of both a
// missing one and a file.
void List::start() {
  // The root may be reached through a link; below it links are data.
  const SftpType look = path_.empty() ? SftpType::stat : SftpType::lstat;
  const std::string remote = root_->path_of(path_);
  connection().path_request(look, remote, [self = shared_from_this()](Result<SftpReply> reply) {
    auto attributes = expect_sftp<SftpAttributes>(std::move(reply), self->what("list "));
    if (!attributes.ok()) {
      self->lstat_error_ = std::move(attributes).error();
    } else if (attributes->permissions && sftp_type(*attributes) != NodeType::directory) {
      self->lstat_error_ = Error{Code::not_directory, shown(self->path_) + " is no directory"};
    }
  });
  connection().path_request(
      SftpType::opendir, remote, [self = shared_from_this()](Result<SftpReply> reply) {
        auto opened = expect_sftp<SftpHandle>(std::move(reply), self->what("list "));
        if (opened.ok()) self->handle_ = std::move(opened->handle);
        if (self->lstat_error_) return self->finish(*self->lstat_error_);
        if (!opened.ok()) return self->finish(std::move(opened).error());
        self->ask();
      });
}

void List::ask() {
  while (!end_seen_ && parts_in_flight_ < parts_wanted_) {
    ++parts_in_flight_;
    connection().handle_request(SftpType::readdir, handle_,
                                [self = shared_from_this()](Result<SftpReply> reply) {
                                  self->take_names(std::move(reply));
                                });
  }
}

void List::take_names(Result<SftpReply> reply) {
  --parts_in_flight_;
  if (over_) return;
  call_->progress();
  if (call_->answered()) return finish(Error{Code::cancelled, "cancelled"});
  if (is_sftp_status(reply, SftpStatusCode::eof)) {
    end_seen_ = true;
    return finish_if_done();
  }
  auto names = expect_sftp<SftpNames>(std::move(reply), what("list "));
  if (!names.ok()) return finish(std::move(names).error());
  for (SftpName& name : names->names) {
    if (auto status = add(std::move(name)); !status.ok()) return finish(std::move(status).error());
  }
  parts_wanted_ = std::min(kMostInFlight, parts_wanted_ * 2);
  ask();
  complete_next();
}

// Appends what the server named; nothing for fifos and their like.
Status List::add(SftpName name) {
  if (name.name == "." || name.name == "..") return {};
  if (!valid_name(name.name)) {
    ++listing_.refused;
    return {};
  }
  const auto type = sftp_type(name.attributes);
  if (!type && name.attributes.permissions) return {};
  if (listing_.entries.size() >= kMaxIndexEntries) {
    return Error{Code::too_large, "the directory has too many entries"};
  }
  if (!type || *type == NodeType::symlink) incomplete_.push_back(listing_.entries.size());
  listing_.entries.push_back(sftp_entry(std::move(name.name), type.value_or(NodeType::file),
                                        name.attributes, base::system_clock().wall_ns()));
  return {};
}

void List::send(SftpType type, const std::string& path,
                void (List::*take)(std::size_t, Result<SftpReply>), std::size_t index) {
  ++details_in_flight_;
  connection().path_request(type, path,
                            [self = shared_from_this(), take, index](Result<SftpReply> reply) {
                              --self->details_in_flight_;
                              if (self->over_) return;
                              self->call_->progress();
                              ((*self).*take)(index, std::move(reply));
                              if (self->over_) return;
                              self->complete_next();
                              self->finish_if_done();
                            });
}

void List::complete_next() {
  gone_.resize(listing_.entries.size());
  while (!incomplete_.empty() && details_in_flight_ < kMostInFlight && !over_) {
    const std::size_t index = incomplete_.front();
    incomplete_.pop_front();
    const RemoteEntry& entry = listing_.entries[index];
    const std::string path = path_.empty() ? entry.name : path_ + "/" + entry.name;
    const bool link = entry.type == NodeType::symlink;
    send(link ? SftpType::readlink : SftpType::lstat, root_->path_of(path),
         link ? &List::take_target : &List::take_attributes, index);
  }
}

void List::take_attributes(std::size_t index, Result<SftpReply> reply) {
  const bool vanished = is_sftp_status(reply, SftpStatusCode::no_such_file);
  auto attributes = expect_sftp<SftpAttributes>(std::move(reply), what("list "));
  const auto type = attributes.ok() ? sftp_type(*attributes) : std::nullopt;
  if (vanished || (attributes.ok() && !type)) {
    gone_[index] = true;
    return;
  }
  if (!attributes.ok()) return finish(std::move(attributes).error());
  RemoteEntry& entry = listing_.entries[index];
  entry = sftp_entry(std::move(entry.name), *type, *attributes, base::system_clock().wall_ns());
  if (*type == NodeType::symlink) incomplete_.push_back(index);
}

void List::take_target(std::size_t index, Result<SftpReply> reply) {
  if (is_sftp_status(reply, SftpStatusCode::no_such_file)) {
    gone_[index] = true;
    return;
  }
  auto target = expect_target(std::move(reply), what("read a link in "));
  if (!target.ok()) return finish(std::move(target).error());
  RemoteEntry& entry = listing_.entries[index];
  entry.symlink_target = *std::move(target);
  entry.size = entry.symlink_target.size();
}

void List::finish_if_done() {
  if (!end_seen_ || parts_in_flight_ > 0 || details_in_flight_ > 0 || !incomplete_.empty()) return;
  std::size_t index = 0;
  std::erase_if(listing_.entries, [&](const RemoteEntry&) {
    const std::size_t at = index++;
    return at < gone_.size() && gone_[at];
  });
  finish(std::move(listing_));
}

void List::finish(Result<Listing> result) {
  if (over_) return;
  over_ = true;
  if (!handle_.empty()) connection().close_handle(handle_);
  if (result.ok() || result.error().code != Code::not_found) {
    return call_->attempt_done(std::move(result));
  }
  prove_absence(root_, lease_, path_, std::move(result).error(),
                [call = call_](Error error) { call->attempt_done(std::move(error)); });
}

}  // namespace

SftpRoot::SftpRoot(std::string_view path) {
  if (path == "/~" || path.starts_with("/~/"))
    path.remove_prefix(std::min<std::size_t>(3, path.size()));
  base_ = path;
}

std::string SftpRoot::path_of(std::string_view path) const {
  if (path.empty()) return base_.empty() ? "." : base_;
  if (base_.empty()) return std::string(path);
  std::string out = base_;
  if (!out.ends_with('/')) out += '/';
  return out.append(path);
}

void prove_absence(const std::shared_ptr<const SftpRoot>& root,
                   const std::shared_ptr<SftpLease>& lease, const std::string& path, Error absent,
                   std::function<void(Error)> then) {
  if (path.empty()) return then(std::move(absent));
  lease->connection().path_request(
      SftpType::stat, root->path_of(""),
      [lease, absent = std::move(absent), then = std::move(then)](Result<SftpReply> reply) {
        if (!reply.ok()) return then(std::move(reply).error());
        if (std::holds_alternative<SftpAttributes>(reply->body)) return then(absent);
        then(Error{Code::unreachable, "the root directory is gone"});
      });
}

void stat_sftp(const std::shared_ptr<const SftpRoot>& root, const std::string& path,
               const std::shared_ptr<SftpLease>& lease,
               const std::shared_ptr<SftpCall<RemoteEntry>>& call) {
  const SftpType look = path.empty() ? SftpType::stat : SftpType::lstat;
  const std::string what = "stat " + shown(path);
  lease->connection().path_request(look, root->path_of(path), [=](Result<SftpReply> reply) {
    auto attributes = expect_sftp<SftpAttributes>(std::move(reply), what);
    if (!attributes.ok()) {
      Error error = std::move(attributes).error();
      if (error.code != Code::not_found) return call->attempt_done(std::move(error));
      return prove_absence(root, lease, path, std::move(error),
                           [call](Error proved) { call->attempt_done(std::move(proved)); });
    }
    const auto type = sftp_type(*attributes);
    if (!attributes->permissions ||
        (type == NodeType::file && sftp_validator(*attributes).empty())) {
      return call->attempt_done(
          Error{Code::unsupported, what + ": the server tells no type, size and mtime"});
    }
    if (!type) {
      return call->attempt_done(
          Error{Code::not_found, what + ": neither a file, a directory nor a symbolic link"});
    }
    RemoteEntry entry = sftp_entry(std::string(last_component(path)), *type, *attributes,
                                   base::system_clock().wall_ns());
    if (*type != NodeType::symlink) return call->attempt_done(std::move(entry));
    call->progress();
    lease->connection().path_request(SftpType::readlink, root->path_of(path),
                                     [=](Result<SftpReply> target_reply) {
                                       auto target = expect_target(std::move(target_reply), what);
                                       if (!target.ok())
                                         return call->attempt_done(std::move(target).error());
                                       RemoteEntry link = entry;
                                       link.symlink_target = *std::move(target);
                                       link.size = link.symlink_target.size();
                                       call->attempt_done(std::move(link));
                                     });
  });
}

void list_sftp(const std::shared_ptr<const SftpRoot>& root, const std::string& path,
               const std::shared_ptr<SftpLease>& lease,
               const std::shared_ptr<SftpCall<Listing>>& call) {
  std::make_shared<List>(root, path, lease, call)->start();
}

}  // namespace lazyvol::source
