#include "random_origin.h"

#include <cstdio>
#include <cstdlib>

#include "source/registry.h"

namespace lazyvol::testing {

std::shared_ptr<Source> RandomOrigin::open(const std::filesystem::path& root) {
  std::string text = root.string();
  if (http_) {
    nginx_.emplace(root);
    text = nginx_->url();
  }
  const auto url = model::parse_source_url(text);
  auto source = url.ok() ? source::make_source(*url, {}, {engine_, timer_, blocking_, bandwidth_})
                         : Result<std::shared_ptr<Source>>(url.error());
  if (!source.ok()) {
    std::fprintf(stderr, "%s: %s\n", text.c_str(), source.error().message.c_str());
    std::abort();
  }
  return *std::move(source);
}

}  // namespace lazyvol::testing
