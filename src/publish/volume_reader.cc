#include "publish/volume_reader.h"

#include <algorithm>
#include <list>
#include <unordered_map>
#include <utility>

#include "catalog/pack.h"

namespace lazyvol::publish {
namespace {

constexpr std::string_view kHeadName = "head";  // of the present head, where a revision is named

bool is_number(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool may_stand_in_tag(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

}  // namespace

Result<std::string> tag_path(const std::string& name) {
  constexpr std::size_t kMaxTag = 128;
  if (name.empty() || name.size() > kMaxTag || name.front() == '.' || is_number(name) ||
      name == kHeadName || !std::all_of(name.begin(), name.end(), may_stand_in_tag)) {
    return Error{Code::invalid_argument,
                 "'" + name + "' cannot be a tag: 1 to 128 of A-Z a-z 0-9 . _ -, not beginning " +
                     "with a dot, not a number, not 'head'"};
  }
  return "tags/" + name;
}

Result<std::string> head_path(const std::string& revision) {
  if (revision.empty() || revision == kHeadName) return std::string(kHeadPath);
  if (!is_number(revision)) return tag_path(revision);
  constexpr std::size_t kMaxDigits = 20;
  if (revision.size() > kMaxDigits || revision.front() == '0') {
    return Error{Code::invalid_argument, "'" + revision + "' is no number of a revision"};
  }
  return "revisions/" + revision;
}

Result<std::optional<StoredHead>> read_head(Store& store, const std::string& path) {
  auto text = store.read(path, 0, catalog::kMaxHeadBytes + 1);
  if (!text.ok()) {
    if (text.error().code == Code::not_found) return std::optional<StoredHead>();
    return std::move(text).error();
  }
  auto document = catalog::parse_head(*text);
  if (!document.ok()) return document.error().in(store.display() + "/" + path);
  return std::optional(StoredHead{*std::move(text), *std::move(document)});
}

Result<std::string> read_frame(Store& store, const catalog::FrameRef& frame) {
  LAZYVOL_TRY(catalog::check_frame_ref(frame));
  const std::string path = catalog::pack_path(frame.pack);
  LAZYVOL_TRY_ASSIGN(const std::string stored, store.read(path, frame.offset, frame.stored));
  auto raw = catalog::decode_frame(frame, stored);
  if (!raw.ok()) {
    return raw.error().in(store.display() + "/" + path + " at " + std::to_string(frame.offset));
  }
  return raw;
}

// The last used pages, the newest first.
struct StorePages::Kept {
  using Page = std::pair<catalog::Digest, std::shared_ptr<const std::string>>;
  struct State {
    std::list<Page> order;
    std::unordered_map<catalog::Digest, std::list<Page>::iterator, catalog::DigestHash> found;
  };
  base::Locked<State> state;
};

StorePages::StorePages(Store& store, std::size_t kept)
    : store_(store), limit_(std::max<std::size_t>(kept, 1)), kept_(std::make_unique<Kept>()) {}

StorePages::~StorePages() = default;

Result<std::shared_ptr<const std::string>> StorePages::read(const catalog::FrameRef& ref) {
  {
    const auto state = kept_->state.lock();
    const auto found = state->found.find(ref.hash);
    if (found != state->found.end()) {
      state->order.splice(state->order.begin(), state->order, found->second);
      return found->second->second;
    }
  }
  LAZYVOL_TRY_ASSIGN(std::string bytes, read_frame(store_, ref));
  const auto page = std::make_shared<const std::string>(std::move(bytes));
  const auto state = kept_->state.lock();
  if (state->found.contains(ref.hash)) return page;
  state->order.emplace_front(ref.hash, page);
  state->found.emplace(ref.hash, state->order.begin());
  if (state->order.size() > limit_) {
    state->found.erase(state->order.back().first);
    state->order.pop_back();
  }
  return page;
}

}  // namespace lazyvol::publish
