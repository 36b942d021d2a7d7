#include "fuse/operations.h"

#include <fcntl.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "fuse/convert.h"

namespace lazyvol::fuse {
namespace {

Bridge& bridge_of(fuse_req_t request) {
  return *static_cast<Bridge*>(fuse_req_userdata(request));
}

void op_init(void* bridge, fuse_conn_info* connection) {
  const unsigned wanted = FUSE_CAP_ASYNC_READ | FUSE_CAP_EXPORT_SUPPORT | FUSE_CAP_PARALLEL_DIROPS |
                          FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO |
                          FUSE_CAP_CACHE_SYMLINKS;
  // A node is one version of its bytes, so new attributes never mean new pages; and splicing
  // requests of this size costs more than copying them (docs/decisions/).
  const unsigned unwanted = FUSE_CAP_AUTO_INVAL_DATA | FUSE_CAP_SPLICE_READ |
                            FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE;
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 17)
  connection->want_ext =
      (connection->want_ext | (connection->capable_ext & wanted)) & ~std::uint64_t{unwanted};
#else
  connection->want = (connection->want | (connection->capable & wanted)) & ~unwanted;
#endif
  static_cast<Bridge*>(bridge)->passthrough.negotiate(*connection);
  connection->max_read = kMaxRead;
  connection->max_write = kMaxRead;  // also sizes the pages of one read request
  connection->max_background = 12;
}

/// Answers a lookup with a node, or with an absence that the kernel may remember.
void reply_lookup(const std::shared_ptr<Call>& call, const Volume& volume, Result<Node> node) {
  if (node.ok()) return call->reply_entry(to_entry(*node));
  if (node.error().code == Code::not_found && volume.negative_ttl().count() > 0) {
    fuse_entry_param absent{};
    // An absence that is not proved says for how long it may be believed.
    const auto believed = node.error().retry_after.value_or(volume.negative_ttl());
    absent.entry_timeout = to_seconds(std::min(volume.negative_ttl(), believed));
    return call->reply_entry(absent);
  }
  call->reply_error(node.error());
}

void op_lookup(fuse_req_t request, fuse_ino_t parent, const char* name) {
  Bridge& bridge = bridge_of(request);
  auto call = Call::begin(bridge.calls, request);
  const auto context = call->context(Priority::reader, Cause::lookup);
  auto done = [call, &bridge](Result<Node> node) {
    reply_lookup(call, *bridge.volume, std::move(node));
  };
  // "." and ".." come from NFS export and open_by_handle_at: the nodes behind file handles.
  if (std::strcmp(name, ".") == 0) return bridge.volume->attributes(parent, context, done);
  if (std::strcmp(name, "..") == 0) return bridge.volume->parent_of(parent, context, done);
  bridge.volume->lookup(parent, name, context, done);
}

// Nodes are looked up by id in the index, whoever remembers them: nothing is counted here.
void op_forget(fuse_req_t request, fuse_ino_t, std::uint64_t) {
  fuse_reply_none(request);
}
void op_forget_multi(fuse_req_t request, std::size_t, fuse_forget_data*) {
  fuse_reply_none(request);
}

void op_getattr(fuse_req_t request, fuse_ino_t node, fuse_file_info*) {
  Bridge& bridge = bridge_of(request);
  auto call = Call::begin(bridge.calls, request);
  bridge.volume->attributes(node, call->context(Priority::reader, Cause::lookup),
                            [call](Result<Node> found) {
                              if (!found.ok()) return call->reply_error(found.error());
                              call->reply_attributes(*found);
                            });
}

void op_readlink(fuse_req_t request, fuse_ino_t node) {
  Bridge& bridge = bridge_of(request);
  auto call = Call::begin(bridge.calls, request);
  bridge.volume->readlink(node, call->context(Priority::reader, Cause::lookup),
                          [call](Result<std::string> target) {
                            if (!target.ok()) return call->reply_error(target.error());
                            call->reply_link(*target);
                          });
}

void close_file(Bridge& bridge, NodeId node, std::uint64_t handle) {
  const auto file = bridge.files.remove(handle);
  if (file == nullptr || !bridge.modes.end(node) || !bridge.passthrough.on()) return;
  // What became whole meanwhile is verified now, so that the next open finds it ready.
  static_cast<void>(file->local());
}

void op_open(fuse_req_t request, fuse_ino_t node, fuse_file_info* info) {
  Bridge& bridge = bridge_of(request);
  auto call = Call::begin(bridge.calls, request);
  if ((info->flags & O_ACCMODE) != O_RDONLY) return call->reply_errno(EROFS);
  if (bridge.opens_by_kernel) return call->reply_errno(ENOSYS);  // it asks no more
  bridge.volume->open_file(
      node, call->context(Priority::reader, Cause::open),
      [call, &bridge, node, reply = *info](Result<std::shared_ptr<File>> file) mutable {
        if (!file.ok()) return call->reply_error(file.error());
        const int backing = bridge.modes.begin(node, **file);
        reply.keep_cache = (*file)->keep_cache() ? 1 : 0;
        reply.noflush = 1;
        reply.fh = bridge.files.add(*std::move(file));
        const bool taken =
            backing != 0 ? call->reply_open(reply.fh, backing) : call->reply_open(reply);
        if (!taken) close_file(bridge, node, reply.fh);
      });
}

void read_file(const std::shared_ptr<Call>& call, File& file, std::size_t size, off_t offset) {
  const auto out = call->buffer(std::min<std::size_t>(size, kMaxRead));
  file.read(static_cast<std::uint64_t>(offset), out, call->context(Priority::reader, Cause::read),
            [call, out](Result<std::size_t> length) {
              if (!length.ok()) return call->reply_error(length.error());
              call->reply_bytes(out.first(*length));
            });
}

/// Of a file that the kernel has opened without asking.
void read_unopened(const std::shared_ptr<Call>& call, Bridge& bridge, NodeId node, std::size_t size,
                   off_t offset) {
  if (const auto file = bridge.recent_files.find(node)) {
    return read_file(call, *file, size, offset);
  }
  bridge.volume->open_file(node, call->context(Priority::reader, Cause::open),
                           [call, &bridge, node, size, offset](Result<std::shared_ptr<File>> file) {
                             if (!file.ok()) return call->reply_error(file.error());
                             bridge.recent_files.add(node, *file);
                             read_file(call, **file, size, offset);
                           });
}

void op_read(fuse_req_t request, fuse_ino_t node, std::size_t size, off_t offset,
             fuse_file_info* info) {
  Bridge& bridge = bridge_of(request);
  auto call = Call::begin(bridge.calls, request);
  if (bridge.opens_by_kernel) return read_unopened(call, bridge, node, size, offset);
  const auto file = bridge.files.find(info->fh);
  if (file == nullptr) return call->reply_errno(EBADF);
  read_file(call, *file, size, offset);
}

void op_release(fuse_req_t request, fuse_ino_t node, fuse_file_info* info) {
  close_file(bridge_of(request), node, info->fh);
  fuse_reply_err(request, 0);
}

void op_opendir(fuse_req_t request, fuse_ino_t node, fuse_file_info* info) {
  Bridge& bridge = bridge_of(request);
  auto call = Call::begin(bridge.calls, request);
  if (bridge.opens_by_kernel) return call->reply_errno(ENOSYS);
  bridge.volume->open_directory(
      node, call->context(Priority::reader, Cause::list),
      [call, &bridge, reply = *info](Result<std::shared_ptr<Directory>> directory) mutable {
        if (!directory.ok()) return call->reply_error(directory.error());
        reply.cache_readdir = 1;
        reply.fh = bridge.directories.add(*std::move(directory));
        if (!call->reply_open(reply)) bridge.directories.remove(reply.fh);
      });
}

void op_releasedir(fuse_req_t request, fuse_ino_t, fuse_file_info* info) {
  bridge_of(request).directories.remove(info->fh);
  fuse_reply_err(request, 0);
}

/// What one READDIR is answered with: as many entries as fit.
class Page {
 public:
  Page(fuse_req_t request, std::size_t size, bool plus)
      : request_(request), plus_(plus), out_(size) {}

  /// False when it did not fit. `next` is the offset of the entry after it.
  bool add(const Directory::Item& item, off_t next) {
    const auto room = std::span(out_).subspan(used_);
    const std::size_t length = pack(room, item, next);
    if (length > room.size()) return false;
    used_ += length;
    return true;
  }
  bool empty() const { return used_ == 0; }
  std::span<const std::byte> bytes() const {
    return std::as_bytes(std::span<const char>(out_).first(used_));
  }

 private:
  /// Answers with the entry's size, which is larger than out.size() when it did not fit.
  std::size_t pack(std::span<char> out, const Directory::Item& item, off_t next) const {
    const std::string name(item.name);
    if (!plus_) {
      struct stat attributes {};
      attributes.st_ino = item.id;
      attributes.st_mode = to_format(item.type);
      return fuse_add_direntry(request_, out.data(), out.size(), name.c_str(), &attributes, next);
    }
    fuse_entry_param entry{};
    if (item.node) {
      entry = to_entry(*item.node);
    } else {  // ino 0: the kernel takes the name and its type, and looks it up when it wants more
      entry.attr.st_ino = item.id;
      entry.attr.st_mode = to_format(item.type);
    }
    return fuse_add_direntry_plus(request_, out.data(), out.size(), name.c_str(), &entry, next);
  }

  fuse_req_t request_;
  bool plus_;
  std::vector<char> out_;
  std::size_t used_ = 0;
};

/// A directory as readdir shows it: ".", "..", then the items.
void list(const std::shared_ptr<Call>& call, const std::shared_ptr<Page>& page,
          std::shared_ptr<Directory> directory, off_t offset) {
  constexpr off_t kDots = 2;
  const NodeId dots[kDots] = {directory->id(), directory->parent()};
  for (; offset < kDots; ++offset) {
    const Directory::Item dot{offset == 0 ? "." : "..", dots[offset], NodeType::directory, {}};
    if (!page->add(dot, offset + 1)) return call->reply_bytes(page->bytes());
  }
  Directory& open = *directory;
  open.read(
      static_cast<std::uint64_t>(offset - kDots), call->context(Priority::reader, Cause::list),
      [page, next = offset](const Directory::Item& item) mutable {
        return page->add(item, ++next);
      },
      [call, page, directory = std::move(directory)](const Status& status) {
        // What came before a failure is shown; the next call meets the failure again.
        if (!status.ok() && page->empty()) return call->reply_error(status.error());
        call->reply_bytes(page->bytes());
      });
}

/// Of a listing that the kernel will show again without asking.
void list_for_long(const std::shared_ptr<Call>& call, Bridge& bridge, NodeId node,
                   const std::shared_ptr<Page>& page, std::shared_ptr<Directory> directory,
                   off_t offset) {
  if (const auto until = directory->good_until()) bridge.listings->forget_at(node, *until);
  list(call, page, std::move(directory), offset);
}

/// Of a directory that the kernel has opened without asking: who begins gets the listing of now.
void list_unopened(const std::shared_ptr<Call>& call, Bridge& bridge, NodeId node,
                   std::shared_ptr<Page> page, off_t offset) {
  if (offset > 0) {
    if (auto known = bridge.recent_directories.find(node)) {
      return list_for_long(call, bridge, node, page, std::move(known), offset);
    }
  }
  bridge.volume->open_directory(node, call->context(Priority::reader, Cause::list),
                                [call, &bridge, node, page = std::move(page),
                                 offset](Result<std::shared_ptr<Directory>> directory) {
                                  if (!directory.ok()) return call->reply_error(directory.error());
                                  bridge.recent_directories.add(node, *directory);
                                  list_for_long(call, bridge, node, page, *std::move(directory),
                                                offset);
                                });
}

void read_directory(fuse_req_t request, fuse_ino_t node, std::size_t size, off_t offset,
                    fuse_file_info* info, bool plus) {
  Bridge& bridge = bridge_of(request);
  auto call = Call::begin(bridge.calls, request);
  auto page = std::make_shared<Page>(request, std::min<std::size_t>(size, kMaxRead), plus);
  if (bridge.opens_by_kernel) return list_unopened(call, bridge, node, std::move(page), offset);
  auto directory = bridge.directories.find(info->fh);
  if (directory == nullptr) return call->reply_errno(EBADF);
  list(call, page, std::move(directory), offset);
}

void op_readdir(fuse_req_t request, fuse_ino_t node, std::size_t size, off_t offset,
                fuse_file_info* info) {
  read_directory(request, node, size, offset, info, false);
}

void op_readdirplus(fuse_req_t request, fuse_ino_t node, std::size_t size, off_t offset,
                    fuse_file_info* info) {
  read_directory(request, node, size, offset, info, true);
}

/// Answers with `value`, or with its length when the caller has no room yet.
void reply_xattr(Call& call, std::string_view value, std::size_t room) {
  if (room == 0) return call.reply_xattr_size(value.size());
  if (value.size() > room) return call.reply_errno(ERANGE);
  call.reply_bytes(std::as_bytes(std::span(value)));
}

/// ENOSYS: the kernel does not ask this mount again.
void reply_no_xattrs(Call& call, const Error& error) {
  if (error.code == Code::unsupported) return call.reply_errno(ENOSYS);
  call.reply_error(error);
}

void op_getxattr(fuse_req_t request, fuse_ino_t node, const char* name, std::size_t room) {
  Bridge& bridge = bridge_of(request);
  auto call = Call::begin(bridge.calls, request);
  bridge.volume->xattrs(
      node, call->context(Priority::reader, Cause::lookup),
      [call, room, wanted = std::string(name)](Result<std::vector<Xattr>> xattrs) {
        if (!xattrs.ok()) return reply_no_xattrs(*call, xattrs.error());
        for (const Xattr& xattr : *xattrs) {
          if (xattr.name == wanted) return reply_xattr(*call, xattr.value, room);
        }
        call->reply_errno(ENODATA);
      });
}

void op_listxattr(fuse_req_t request, fuse_ino_t node, std::size_t room) {
  Bridge& bridge = bridge_of(request);
  auto call = Call::begin(bridge.calls, request);
  bridge.volume->xattrs(node, call->context(Priority::reader, Cause::lookup),
                        [call, room](Result<std::vector<Xattr>> xattrs) {
                          if (!xattrs.ok()) return reply_no_xattrs(*call, xattrs.error());
                          std::string names;
                          for (const Xattr& xattr : *xattrs) names.append(xattr.name) += '\0';
                          reply_xattr(*call, names, room);
                        });
}

void op_statfs(fuse_req_t request, fuse_ino_t) {
  constexpr std::uint64_t kUnit = 4096;
  Bridge& bridge = bridge_of(request);
  const VolumeStatfs cache = bridge.volume->statfs();
  struct statvfs out {};
  out.f_bsize = kUnit;
  out.f_frsize = kUnit;
  out.f_blocks = cache.cache_bytes_limit / kUnit;
  out.f_bfree =
      (cache.cache_bytes_limit - std::min(cache.cache_bytes_used, cache.cache_bytes_limit)) / kUnit;
  out.f_bavail = 0;  // nothing can be written
  out.f_namemax = kMaxName;
  fuse_reply_statfs(request, &out);
}

fuse_lowlevel_ops make_operations() {
  fuse_lowlevel_ops ops{};
  ops.init = op_init;
  ops.lookup = op_lookup;
  ops.forget = op_forget;
  ops.forget_multi = op_forget_multi;
  ops.getattr = op_getattr;
  ops.readlink = op_readlink;
  ops.open = op_open;
  ops.read = op_read;
  ops.release = op_release;
  ops.opendir = op_opendir;
  ops.readdir = op_readdir;
  ops.readdirplus = op_readdirplus;
  ops.releasedir = op_releasedir;
  ops.getxattr = op_getxattr;
  ops.listxattr = op_listxattr;
  ops.statfs = op_statfs;
  return ops;
}

}  // namespace

const fuse_lowlevel_ops& operations() {
  static const fuse_lowlevel_ops ops = make_operations();
  return ops;
}

}  // namespace lazyvol::fuse
