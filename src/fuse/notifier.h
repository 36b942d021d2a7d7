// Tells the kernel what it must forget.
#pragma once

#include <functional>
#include <string>

#include "base/workers.h"
#include "fuse/lowlevel.h"
#include "lazyvol/volume.h"

namespace lazyvol::fuse {

/// Passes a volume's changes to the kernel from a thread of its own. A notification may wait for a
/// lock that the kernel holds while it waits for an answer of ours, so the thread must serve
/// nothing else.
class Notifier final : public ChangeListener {
 public:
  /// `session` must outlive this object.
  explicit Notifier(fuse_session* session) : session_(session), thread_("lv-notify", 1) {}
  void entry_changed(NodeId directory, const std::string& name) override;
  void node_changed(NodeId id) override;
  void settle(std::function<void()> done) override;
  /// Refuses new notifications and waits for those queued. Idempotent.
  void stop() { thread_.stop(); }

 private:
  fuse_session* session_;
  base::Workers thread_;
};

}  // namespace lazyvol::fuse
