// A published volume behind a Source (a web server, a directory), for tools that read it whole.
#pragma once

#include <chrono>
#include <memory>

#include "base/timer.h"
#include "lazyvol/source.h"
#include "publish/store.h"

namespace lazyvol::publish {

/// A store that reads and does not write: create(), replace() and remove() answer read_only, and
/// list() answers unsupported, because a web server's index is no proof of what there is. Reads are
/// retried as source::read_object() does, for as long as there is progress within `no_progress`.
/// `timer` must outlive it. Thread rule: as Store; never from a thread of the source's or the
/// timer's.
std::unique_ptr<Store> make_source_store(std::shared_ptr<Source> source, base::TimerQueue& timer,
                                         std::chrono::milliseconds no_progress);

}  // namespace lazyvol::publish
