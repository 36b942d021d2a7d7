#include "volume/want_ranges.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/locked.h"

namespace lazyvol::volume {
namespace {

struct Left {
  std::size_t count = 1;  // one for whoever asks
  std::optional<Error> error;
};

struct Wanting {
  std::shared_ptr<fetch::Content> content;  // kept open
  std::function<void(Status)> done;
  base::Locked<Left> left;

  void ended(const Status& status) {
    std::optional<Error> error;
    {
      auto now = left.lock();
      if (!status.ok() && !now->error) now->error = status.error();
      if (--now->count > 0) return;
      error = now->error;
    }
    done(error ? Status(*error) : Status());
  }
};

}  // namespace

void want_ranges(const std::shared_ptr<fetch::Content>& content,
                 const std::vector<model::ProfileRange>& ranges, const RequestContext& ctx,
                 std::function<void(Status)> done) {
  const auto wanting = std::make_shared<Wanting>();
  wanting->content = content;
  wanting->done = std::move(done);
  const std::uint64_t size = content->ref().size;
  const auto want = [&](std::uint64_t begin, std::uint64_t end) {
    end = std::min(end, size);
    if (begin >= end) return;  // the file is shorter by now
    ++wanting->left.lock()->count;
    content->want(begin, end, ctx, [wanting](const Status& status) { wanting->ended(status); });
  };
  if (ranges.empty()) want(0, size);
  for (const auto& range : ranges) want(range.begin, range.end);
  wanting->ended({});
}

}  // namespace lazyvol::volume
