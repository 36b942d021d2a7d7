// The frames that a file's bytes lie in, through all of its file maps.
//
// Thread rule: pure but for the store.
#pragma once

#include <functional>

#include "catalog/entry.h"
#include "lazyvol/error.h"
#include "publish/store.h"

namespace lazyvol::publish {

struct ContentVisit {
  /// A frame of data; may come again and again. An error ends the visit.
  std::function<Status(const catalog::FrameRef&)> data;
  /// A file map, before it is read; false: neither it nor what it names is wanted.
  std::function<Result<bool>(const catalog::FrameRef&)> map;
  /// A map that cannot be had, or that is not what the entry or the map above says. Success goes on
  /// without it.
  std::function<Status(const catalog::FrameRef&, const Error&)> damaged_map;
};

/// Shows the frames of the content of `entry`. Errors: the visit's.
Status visit_content(Store& store, const catalog::Entry& entry, const ContentVisit& visit);

}  // namespace lazyvol::publish
