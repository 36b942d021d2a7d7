#include "fuse/notifier.h"

namespace lazyvol::fuse {

// The results are not looked at: the kernel answers ENOENT for what it does not hold, and anything
// else means that the session is ending.

void Notifier::entry_changed(NodeId directory, const std::string& name) {
  thread_.submit([session = session_, directory, name] {
    fuse_lowlevel_notify_inval_entry(session, directory, name.data(), name.size());
  });
}

void Notifier::node_changed(NodeId id) {
  thread_.submit([session = session_, id] { fuse_lowlevel_notify_inval_inode(session, id, 0, 0); });
}

void Notifier::settle(std::function<void()> done) {
  if (!thread_.submit(done)) done();  // one thread: behind all that waits
}

}  // namespace lazyvol::fuse
