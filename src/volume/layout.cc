#include "volume/layout.h"

#include <algorithm>
#include <future>
#include <utility>

#include "source/read_object.h"
#include "volume/core.h"
#include "volume/published_trust.h"

namespace lazyvol::volume {
namespace {

/// The option that only makes sense for a published volume, if one was given.
std::string_view published_option(const model::MountOptions& options) {
  if (!options.key.empty()) return "key";
  if (!options.revision.empty()) return "revision";
  if (!options.mirror.empty()) return "mirror";
  return {};
}

Result<Layout> files(const model::MountOptions& options) {
  if (const auto option = published_option(options); !option.empty()) {
    return Error{Code::invalid_argument,
                 "option " + std::string(option) + ": SOURCE is not a published volume"};
  }
  return Layout{};
}

}  // namespace

Result<Layout> find_layout(const std::string& name, const std::shared_ptr<Source>& source,
                           const model::MountOptions& options, VolumeEnvironment environment) {
  if (options.layout == "published") return Layout{true, std::nullopt};
  if (options.layout == "files") return files(options);
  const auto known = environment.heads.find(name);
  const bool published_before = known.ok() && known->has_value();
  RequestContext ctx;
  ctx.cause = Cause::open;
  ctx.no_progress =
      published_before ? std::min(options.io_timeout, kWaitWithOldData) : options.io_timeout;
  source::ReadObject what;
  what.path = head_path({});
  what.limit = catalog::kMaxHeadBytes;
  auto head = source::read_object_now(source, environment.timer, std::move(what), ctx);
  if (head.ok()) {
    Layout layout{true, std::nullopt};
    if (options.revision.empty()) {
      layout.head = {std::move(head->bytes), std::move(head->validator)};
    }
    return layout;
  }
  const Code code = head.error().code;
  const bool absent = code == Code::not_found || code == Code::not_directory;
  if (absent && published_before && published_option(options).empty()) {
    return Error{Code::stale, source->traits().display +
                                  ": was a published volume, and its lazyvol-head is gone "
                                  "(layout=files mounts what is there)"};
  }
  if (absent) return files(options);
  // A head that is too long or not readable is no proof that there is none.
  if (published_before || !published_option(options).empty() || code == Code::too_large) {
    return Layout{true, std::nullopt};
  }
  // The live volume that was known here before may be served, and says what is wrong if none was.
  return files(options);
}

}  // namespace lazyvol::volume
