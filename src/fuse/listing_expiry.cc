#include "fuse/listing_expiry.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace lazyvol::fuse {
namespace {

// Coarse: one look over all listings that the kernel may hold.
constexpr std::chrono::milliseconds kEvery{500};

}  // namespace

void ListingExpiry::entry_changed(NodeId directory, const std::string& name) {
  next_.entry_changed(directory, name);
  forget_at(directory, base::Monotonic{});
}

void ListingExpiry::forget_at(NodeId directory, base::Monotonic when) {
  when = std::max(when, base::system_clock().now() + kOnItsWay);
  auto state = state_.lock();
  // A later part of the same listing puts it off; a newer listing does so with good reason.
  base::Monotonic& due = state->due[directory];
  due = std::max(due, when);
  if (!std::exchange(state->ticking, true)) timer_.after(kEvery, [this] { tick(); });
}

void ListingExpiry::tick() {
  const auto now = base::system_clock().now();
  std::vector<NodeId> over;
  {
    auto state = state_.lock();
    std::erase_if(state->due, [&](const auto& one) {
      if (one.second > now) return false;
      over.push_back(one.first);
      return true;
    });
    state->ticking = !state->due.empty();
    if (state->ticking) timer_.after(kEvery, [this] { tick(); });
  }
  for (const NodeId directory : over) next_.node_changed(directory);
}

}  // namespace lazyvol::fuse
