#include "volume/layout.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
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

std::string head_name(const std::string& display) {
  return display + (display.ends_with('/') ? "" : "/") + "lazyvol-head";
}

/// Whether `bytes` may be what a server says when it has no such file: HTML or JSON.
bool is_page(std::string_view bytes) {
  const std::size_t first = bytes.find_first_not_of(" \t\r\n\xef\xbb\xbf");
  return first != std::string_view::npos && (bytes[first] == '<' || bytes[first] == '{');
}

/// `why` it is taken for files.
Result<Layout> files(const model::MountOptions& options, const std::string& why) {
  if (const auto option = published_option(options); !option.empty()) {
    return Error{Code::invalid_argument,
                 "option " + std::string(option) + ": SOURCE is not a published volume: " + why};
  }
  return Layout{};
}

/// What the source's answer says when it has no head, and `why` it has none.
Result<Layout> without_head(const std::string& name, const std::string& display, bool published,
                            const std::string& why, const model::MountOptions& options,
                            VolumeEnvironment& environment) {
  if (published && !options.mirror.empty()) return Layout{true, std::nullopt};  // they may have it
  if (published && published_option(options).empty()) {
    return Error{Code::stale, display +
                                  ": was a published volume, and its lazyvol-head is gone "
                                  "(layout=files mounts what is there)"};
  }
  if (auto status = environment.heads.remember_files(name); !status.ok()) {
    base::log_warn("{}: what it holds is not kept across a restart: {}", display,
                   status.error().message);
  }
  return files(options, why);
}

}  // namespace

Result<Layout> find_layout(const std::string& name, const std::shared_ptr<Source>& source,
                           const model::MountOptions& options, VolumeEnvironment environment) {
  if (options.layout == "published") return Layout{true, std::nullopt};
  if (options.layout == "files") return files(options, "layout=files");
  const auto known = environment.heads.find(name);
  const bool published = known.ok() && known->has_value();
  const auto known_files = environment.heads.is_files(name);
  const bool plain = !published && known_files.ok() && *known_files;
  RequestContext ctx;
  ctx.cause = Cause::open;
  ctx.no_progress =
      published || plain ? std::min(options.io_timeout, kWaitWithOldData) : options.io_timeout;
  source::ReadObject what;
  what.path = head_path({});
  what.limit = catalog::kMaxHeadBytes;
  auto head = source::read_object_now(source, environment.timer, std::move(what), ctx);
  const std::string display = source->traits().display;
  if (head.ok()) {
    // Some servers answer with a page of their own whatever they are asked for.
    if (!head->bytes.starts_with("lazyvol-head\n") && !published) {
      const std::string why = head_name(display) + " begins like no head";
      if (!is_page(head->bytes)) {
        return Error{Code::corrupt, why + " (layout=files mounts what is there)"};
      }
      return without_head(name, display, false, why, options, environment);
    }
    Layout layout{true, std::nullopt};
    if (options.revision.empty()) {
      layout.head = {std::move(head->bytes), std::move(head->validator)};
    }
    return layout;
  }
  const Code code = head.error().code;
  if (code == Code::not_found || code == Code::not_directory) {
    return without_head(name, display, published, head.error().message, options, environment);
  }
  // No answer to the question: what is known, or said, decides.
  if (published || !published_option(options).empty()) return Layout{true, std::nullopt};
  if (plain || !is_transient(code)) return Layout{};
  return head.error();
}

}  // namespace lazyvol::volume
