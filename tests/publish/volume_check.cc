#include "publish/volume_check.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

#include "catalog/catalog_build.h"
#include "catalog/catalog_read.h"
#include "catalog/file_map.h"
#include "catalog/pack.h"
#include "publish/map_reader.h"
#include "publish/page_walk.h"
#include "publish/volume_reader.h"

namespace lazyvol::publish {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kAll = 1ULL << 40;

catalog::Page page_of(const std::string& bytes) {
  return std::make_shared<const std::string>(bytes);
}

// user.* and security.capability of a path, as getfattr shows them.
std::vector<catalog::Xattr> xattrs_of(const fs::path& path) {
  std::array<char, 65536> list{}, value{};
  std::vector<catalog::Xattr> result;
  const ssize_t length = ::llistxattr(path.c_str(), list.data(), list.size());
  for (ssize_t at = 0; at < length;) {
    const std::string name(list.data() + at);
    at += static_cast<ssize_t>(name.size()) + 1;
    if (!name.starts_with("user.") && name != "security.capability") continue;
    const ssize_t size = ::lgetxattr(path.c_str(), name.c_str(), value.data(), value.size());
    result.push_back(
        {name, std::string(value.data(), size > 0 ? static_cast<std::size_t>(size) : 0)});
  }
  std::sort(result.begin(), result.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return result;
}

// Compares the bytes of one file, hole by hole and piece by piece.
class BytesCheck {
 public:
  BytesCheck(Store& store, catalog::PageReader& pages, const fs::path& path)
      : store_(store), pages_(pages), path_(path), fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    EXPECT_GE(fd_, 0) << path;
  }
  ~BytesCheck() { ::close(fd_); }

  void run(const catalog::Entry& entry) {
    if (const auto* bytes = std::get_if<catalog::InlineContent>(&entry.content)) {
      data(bytes->bytes);
    } else if (const auto* list = std::get_if<catalog::PieceContent>(&entry.content)) {
      for (const catalog::Piece& piece : list->pieces)
        frame(piece.frame, piece.offset, piece.length);
    } else if (const auto* map = std::get_if<catalog::MapContent>(&entry.content)) {
      const Status status = for_each_extent(
          pages_, map->map,
          [&](const catalog::Extent& extent) -> Status {
            if (extent.kind == catalog::Extent::Kind::hole) {
              hole(extent.length);
            } else {
              frame(extent.frame, extent.offset, extent.length);
            }
            return {};
          },
          [](const catalog::FrameRef&) {});
      EXPECT_TRUE(status.ok()) << path_ << ": " << status.error().message;
    }
    EXPECT_EQ(at_, entry.size) << path_;
  }

 private:
  void hole(std::uint64_t length) {
    const off_t data = ::lseek(fd_, static_cast<off_t>(at_), SEEK_DATA);
    EXPECT_TRUE(data < 0 || static_cast<std::uint64_t>(data) >= at_ + length)
        << path_ << " has bytes at " << data;
    at_ += length;
  }
  void frame(const catalog::FrameRef& ref, std::uint64_t offset, std::uint64_t length) {
    if (!kept_ || kept_->first != ref) {
      auto raw = read_frame(store_, ref);
      ASSERT_TRUE(raw.ok()) << path_ << ": " << raw.error().message;
      kept_.emplace(ref, *std::move(raw));
    }
    ASSERT_LE(offset + length, kept_->second.size()) << path_;
    data(std::string_view(kept_->second).substr(offset, length));
  }
  void data(std::string_view bytes) {
    std::string actual(bytes.size(), '\0');
    const ssize_t got = ::pread(fd_, actual.data(), actual.size(), static_cast<off_t>(at_));
    EXPECT_EQ(got, static_cast<ssize_t>(bytes.size())) << path_;
    EXPECT_TRUE(actual == bytes) << path_ << " differs at or after " << at_;
    at_ += bytes.size();
  }

  Store& store_;
  catalog::PageReader& pages_;
  fs::path path_;
  int fd_;
  std::uint64_t at_ = 0;
  std::optional<std::pair<catalog::FrameRef, std::string>> kept_;
};

class TreeCheck {
 public:
  TreeCheck(Store& store, const fs::path& tree) : store_(store), pages_(store), tree_(tree) {}

  void run() {
    const catalog::Head head = head_of(store_);
    struct stat root {};
    ASSERT_EQ(::lstat(tree_.c_str(), &root), 0);
    EXPECT_EQ(head.root.mode, root.st_mode & 07777U);
    EXPECT_EQ(head.root.uid, root.st_uid);
    EXPECT_EQ(head.root.gid, root.st_gid);
    EXPECT_EQ(head.root.mtime_ns, root.st_mtim.tv_sec * 1'000'000'000 + root.st_mtim.tv_nsec);
    entries_ = entries_of(store_);
    directory("");
    for (const auto& [path, entry] : entries_) ADD_FAILURE() << path << " is not in the tree";
    check_links();
  }

 private:
  void directory(const std::string& path) {
    std::vector<std::string> names;
    for (const auto& one : fs::directory_iterator(tree_ / path)) {
      names.push_back(one.path().filename().string());
    }
    for (const std::string& name : names) {
      if (::testing::Test::HasFailure()) return;
      entry(path.empty() ? name : path + "/" + name);
    }
  }

  void entry(const std::string& path) {
    struct stat status {};
    ASSERT_EQ(::lstat((tree_ / path).c_str(), &status), 0) << path;
    if (!S_ISREG(status.st_mode) && !S_ISLNK(status.st_mode) && !S_ISDIR(status.st_mode)) return;
    const auto found = entries_.find(path);
    ASSERT_NE(found, entries_.end()) << path << " is not in the volume";
    const catalog::Entry entry = found->second;
    entries_.erase(found);
    EXPECT_EQ(entry.mode, status.st_mode & 07777U) << path;
    EXPECT_EQ(entry.uid, status.st_uid) << path;
    EXPECT_EQ(entry.gid, status.st_gid) << path;
    EXPECT_EQ(entry.mtime_ns, status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec)
        << path;
    EXPECT_EQ(entry.xattrs, xattrs_of(tree_ / path)) << path;
    if (S_ISDIR(status.st_mode)) {
      EXPECT_EQ(entry.type, NodeType::directory) << path;
      directory(path);
      return;
    }
    EXPECT_EQ(entry.size, static_cast<std::uint64_t>(status.st_size)) << path;
    links_[{status.st_dev, status.st_ino}].push_back(entry);
    if (S_ISLNK(status.st_mode)) {
      EXPECT_EQ(entry.type, NodeType::symlink) << path;
      EXPECT_EQ(entry.symlink_target, fs::read_symlink(tree_ / path).string()) << path;
      return;
    }
    EXPECT_EQ(entry.type, NodeType::file) << path;
    BytesCheck(store_, pages_, tree_ / path).run(entry);
  }

  // Names of one inode have one id, attributes and content, and one of them is no alias.
  void check_links() {
    std::set<NodeId> ids;
    for (auto& [inode, names] : links_) {
      EXPECT_TRUE(ids.insert(names[0].id).second) << names[0].name << ": two inodes have its id";
      std::sort(names.begin(), names.end(), [](const auto& a, const auto& b) {
        return std::tie(a.directory, a.name) < std::tie(b.directory, b.name);
      });
      for (std::size_t i = 0; i < names.size(); ++i) {
        EXPECT_EQ(names[i].id, names[0].id) << names[i].name;
        EXPECT_EQ(names[i].alias, i > 0) << names[i].name;
        EXPECT_EQ(names[i].nlink, names.size()) << names[i].name;
        EXPECT_TRUE(names[i].content == names[0].content) << names[i].name;
      }
    }
  }

  Store& store_;
  StorePages pages_;
  fs::path tree_;
  std::map<std::string, catalog::Entry> entries_;
  std::map<std::pair<dev_t, ino_t>, std::vector<catalog::Entry>> links_;
};

// Finds each page where the volume has it; so roots can be compared.
class PlacingWriter final : public catalog::PageWriter {
 public:
  void know(const std::string& page, const catalog::FrameRef& ref) {
    places_[catalog::sha256(page)] = ref;
  }
  Status write(std::string page) override {
    const auto found = places_.find(catalog::sha256(page));
    if (found == places_.end()) return Error{Code::corrupt, "a page that the volume does not have"};
    open_.push_back(found->second);
    return {};
  }
  Result<std::vector<catalog::FrameRef>> seal() override { return std::exchange(open_, {}); }

 private:
  std::unordered_map<catalog::Digest, catalog::FrameRef, catalog::DigestHash> places_;
  std::vector<catalog::FrameRef> open_;
};

}  // namespace

catalog::Head head_of(Store& store) {
  const auto head = read_head(store, std::string(kHeadPath));
  EXPECT_TRUE(head.ok()) << head.error().message;
  EXPECT_TRUE(head.ok() && head->has_value()) << "no head";
  return head.ok() && *head ? (*head)->document.head : catalog::Head();
}

std::map<std::string, catalog::Entry> entries_of(Store& store) {
  StorePages pages(store);
  std::unordered_map<NodeId, std::string> paths{{kRootNode, ""}};
  std::vector<catalog::Entry> entries;
  const Status status = catalog::for_each_entry(pages, page_of(head_of(store).roots.names),
                                                [&](catalog::Entry entry) -> Status {
                                                  entries.push_back(std::move(entry));
                                                  return {};
                                                });
  EXPECT_TRUE(status.ok()) << status.error().message;
  // A moved directory may come after what is in it.
  std::map<std::string, catalog::Entry> result;
  for (bool more = true; more;) {
    more = false;
    for (const catalog::Entry& entry : entries) {
      const auto parent = paths.find(entry.directory);
      if (parent == paths.end()) continue;
      std::string path = parent->second + (parent->second.empty() ? "" : "/") + entry.name;
      if (entry.type == NodeType::directory) more |= paths.emplace(entry.id, path).second;
      result.emplace(std::move(path), entry);
    }
  }
  EXPECT_EQ(result.size(), entries.size()) << "entries in directories that are not there";
  return result;
}

void expect_shows(Store& store, const fs::path& tree) {
  TreeCheck(store, tree).run();
}

void expect_as_rebuilt(Store& store) {
  const catalog::Head head = head_of(store);
  StorePages pages(store);
  PlacingWriter writer;
  for (const std::string& root : {head.roots.names, head.roots.ids}) {
    const Status status = for_each_page(pages, root, false, [&](const catalog::FrameRef& ref) {
      const auto page = pages.read(ref);
      ASSERT_TRUE(page.ok()) << page.error().message;
      writer.know(**page, ref);
    });
    ASSERT_TRUE(status.ok()) << status.error().message;
  }
  catalog::CatalogBuilder builder(writer, head.chunking);
  const catalog::Page names = page_of(head.roots.names), ids = page_of(head.roots.ids);
  Status status = catalog::for_each_entry(pages, names, [&](catalog::Entry entry) -> Status {
    EXPECT_LT(entry.id, head.next_id) << entry.name;
    if (!entry.alias) {
      const auto found = catalog::find_entry(pages, names, ids, entry.id);
      EXPECT_TRUE(found.ok() && *found && **found == entry) << entry.name << " by its id";
    }
    return builder.add(std::move(entry));
  });
  ASSERT_TRUE(status.ok()) << status.error().message;
  const auto roots = builder.finish();
  ASSERT_TRUE(roots.ok()) << roots.error().message;
  EXPECT_TRUE(*roots == head.roots) << "other roots than a rebuild has";
}

void expect_sound_packs(Store& store) {
  const auto objects = store.list("");
  ASSERT_TRUE(objects.ok()) << objects.error().message;
  for (const StoredObject& object : *objects) {
    if (!object.path.starts_with("packs/")) {
      EXPECT_TRUE(object.path == kHeadPath || object.path.starts_with("revisions/") ||
                  object.path.starts_with("tags/"))
          << object.path;
      continue;
    }
    const auto bytes = store.read(object.path, 0, kAll);
    ASSERT_TRUE(bytes.ok()) << bytes.error().message;
    const catalog::Digest name = catalog::sha256(*bytes);
    EXPECT_EQ(catalog::pack_path(name), object.path);
    EXPECT_TRUE(catalog::verify_pack(name, *bytes).ok()) << object.path;
  }
}

}  // namespace lazyvol::publish
