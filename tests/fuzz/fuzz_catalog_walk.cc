// Walks over trees whose pages are hostile: each way down, list and comparison ends, whatever the
// pages say of each other.
//
// Input: a byte for the directory to list; then pages, each 2 bytes of length and its bytes, the
// root of ids and the root of names last. A reference leads to the page of its offset, modulo their
// number; hashes are not looked at, so trees may have rings.
#include <memory>
#include <string>
#include <vector>

#include "catalog/catalog_read.h"
#include "catalog/key.h"
#include "catalog/tree_diff.h"
#include "catalog/validate_page.h"
#include "fuzz_target.h"

namespace {

using namespace lazyvol;
using fuzzing::require;

constexpr std::size_t kMaxPages = 64;
constexpr std::size_t kMaxReads = 20'000;
constexpr std::size_t kMaxListed = 500;

class HostilePages final : public catalog::PageReader {
 public:
  /// With `valid`, pages that a reader would refuse when they arrive are errors.
  HostilePages(std::vector<catalog::Page> pages, bool valid)
      : pages_(std::move(pages)), valid_(valid) {}
  Result<catalog::Page> read(const catalog::FrameRef& ref) override {
    require(++reads < kMaxReads, "a walk ends");
    const catalog::Page& page = pages_[ref.offset % pages_.size()];
    if (valid_) LAZYVOL_TRY(catalog::validate_page(*page));
    return page;
  }
  std::size_t reads = 0;

 private:
  const std::vector<catalog::Page> pages_;
  const bool valid_;
};

std::vector<catalog::Page> split(std::string_view bytes) {
  std::vector<catalog::Page> pages;
  while (bytes.size() >= 2 && pages.size() < kMaxPages) {
    const std::size_t length =
        static_cast<std::uint8_t>(bytes[0]) | std::size_t{static_cast<std::uint8_t>(bytes[1])} << 8;
    bytes.remove_prefix(2);
    pages.push_back(std::make_shared<const std::string>(bytes.substr(0, length)));
    bytes.remove_prefix(std::min(length, bytes.size()));
  }
  return pages;
}

void walk(const std::vector<catalog::Page>& pages, NodeId directory, bool valid) {
  const catalog::Page names = pages.back(), ids = pages[pages.size() - 2];
  HostilePages reader(pages, valid);
  const auto found = catalog::find_entry(reader, names, directory, "m");
  if (found.ok() && *found) {
    require((*found)->directory == directory && (*found)->name == "m", "what was asked for");
  }
  for (const NodeId id : {directory, directory + 1, NodeId{1'000}}) {
    const auto entry = catalog::find_entry(reader, names, ids, id);
    if (entry.ok() && *entry) require((*entry)->id == id, "the id that was asked for");
  }
  reader.reads = 0;
  const auto listed = catalog::list_directory(reader, names, directory, "", kMaxListed);
  // A root is checked where its head is, which is not here.
  if (valid && catalog::validate_page(*names).ok() && listed.ok()) {
    require(listed->size() <= kMaxListed, "no more than was asked for");
    for (std::size_t i = 1; i < listed->size(); ++i) {
      require((*listed)[i - 1].name < (*listed)[i].name, "a directory is in order");
    }
  }
  reader.reads = 0;
  std::string last;
  (void)catalog::for_each_entry(reader, names, [&](const catalog::Entry& entry) -> Status {
    std::string key = catalog::name_key(entry.directory, entry.name);
    require(last < key, "entries are in order");
    last = std::move(key);
    return {};
  });
}

void compare(const std::vector<catalog::Page>& pages, const catalog::Page& before) {
  HostilePages reader(pages, false);
  catalog::TreeDiff diff(*before, *pages.back());
  for (;;) {
    const auto step = diff.next();
    if (!step.ok()) return;
    if (const auto* wanted = std::get_if<catalog::TreeDiff::Wanted>(&*step)) {
      (void)diff.upcoming(8);
      const auto page = reader.read(wanted->frame);
      if (!diff.supply(**page).ok()) return;
    } else if (const auto* change = std::get_if<catalog::Change>(&*step)) {
      require(change->before || change->after, "a change of something");
    } else {
      return;
    }
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const auto pages = split(fuzzing::text(data + 1, size - 1));
  if (pages.size() < 2) return 0;
  walk(pages, data[0], false);
  walk(pages, data[0], true);
  compare(pages, pages.front());
  return 0;
}
