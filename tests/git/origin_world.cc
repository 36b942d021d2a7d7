#include "git/origin_world.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <utility>
#include <vector>

#include "catalog/catalog_read.h"
#include "catalog/pack.h"
#include "source/read_object.h"

namespace lazyvol::git {
namespace {

class OriginPages final : public catalog::PageReader {
 public:
  explicit OriginPages(Source& origin) : origin_(origin) {}
  Result<std::shared_ptr<const std::string>> read(const catalog::FrameRef& ref) override {
    const auto got =
        source::read(origin_, catalog::pack_path(ref.pack), "", ref.offset, ref.stored);
    if (!got.status.ok()) return got.status.error();
    LAZYVOL_TRY_ASSIGN(std::string page, catalog::decode_frame(ref, got.bytes));
    return std::make_shared<const std::string>(std::move(page));
  }

 private:
  Source& origin_;
};

}  // namespace

Result<ShownTree> show(Source& origin, base::TimerQueue&) {
  // As a refresh does it: a look, then the bytes.
  LAZYVOL_TRY_ASSIGN(const RemoteEntry entry, source::stat(origin, "lazyvol-head"));
  const auto got = source::read(origin, "lazyvol-head", "", 0, catalog::kMaxHeadBytes);
  if (!got.status.ok()) return got.status.error();
  EXPECT_EQ(got.start->validator, entry.validator);
  EXPECT_EQ(got.bytes.size(), *entry.size);
  LAZYVOL_TRY_ASSIGN(auto document, catalog::parse_head(got.bytes));
  OriginPages pages(origin);
  ShownTree tree{document.head, {}};
  std::vector<catalog::Entry> all;
  const auto root = std::make_shared<const std::string>(document.head.roots.names);
  LAZYVOL_TRY(catalog::for_each_entry(pages, root, [&](catalog::Entry one) {
    all.push_back(std::move(one));
    return Status();
  }));
  std::map<NodeId, std::string> directories{{kRootNode, ""}};
  for (std::size_t before = all.size() + 1; before != all.size() && !all.empty();) {
    before = all.size();
    std::erase_if(all, [&](const catalog::Entry& one) {
      const auto parent = directories.find(one.directory);
      if (parent == directories.end()) return false;
      const std::string path = parent->second + one.name;
      if (one.type == NodeType::directory) directories[one.id] = path + "/";
      tree.entries.emplace(path, one);
      return true;
    });
  }
  EXPECT_TRUE(all.empty());
  return tree;
}

std::string object_path(const catalog::Entry& entry) {
  const auto* object = std::get_if<catalog::ObjectContent>(&entry.content);
  return object == nullptr ? std::string() : "objects/" + object->name;
}

std::string bytes_of(Source& origin, const catalog::Entry& entry) {
  const std::string path = object_path(entry);
  if (path.empty()) return {};
  const auto described = source::stat(origin, path);
  EXPECT_TRUE(described.ok()) << (described.ok() ? "" : described.error().message);
  if (!described.ok()) return {};
  EXPECT_TRUE(entry.size == catalog::kUnknownSize || described->size == entry.size);
  const auto got = source::read(origin, path, described->validator, 0, *described->size);
  EXPECT_TRUE(got.status.ok()) << (got.status.ok() ? "" : got.status.error().message);
  return got.bytes;
}

OriginWorld::OriginWorld(Way way) : way_(way) {
  using testing::GitHttpServer;
  if (way == Way::http || way == Way::http_unfiltered) {
    http_ = std::make_unique<GitHttpServer>(repository.root());
  }
  if (way == Way::http_version0 || way == Way::http_slow) {
    testing::GitHttpOptions options;
    options.version2 = way == Way::http_slow;
    options.bytes_per_second = way == Way::http_slow ? kSlow : 0;
    http_ = std::make_unique<GitHttpServer>(repository.root(), options);
  }
  if (way == Way::http_unfiltered) repository.allow_filter(false);
  if (way == Way::ssh) {
    testing::SshdOptions options;
    options.extra = "AcceptEnv GIT_PROTOCOL";
    sshd_ = std::make_unique<testing::Sshd>(options);
  }
}

std::string OriginWorld::url() const {
  if (http_) return "git+" + http_->url();
  const std::string path = repository.bare().string();
  if (sshd_) return "git+ssh://127.0.0.1:" + std::to_string(sshd_->port()) + path;
  return "git+file://" + path;
}

Result<std::shared_ptr<GitOrigin>> OriginWorld::try_open(model::MountOptions options) {
  if (sshd_ && options.credentials.empty()) {
    const auto file = temp_.path() / "ssh.toml";
    testing::write_file(file, "private-key = \"" + (sshd_->client_dir() / "id_ed25519").string() +
                                  "\"\nknown-hosts = \"" +
                                  (sshd_->client_dir() / "known_hosts").string() + "\"\n");
    ::chmod(file.c_str(), 0600);
    options.credentials = file.string();
  }
  LAZYVOL_TRY_ASSIGN(const auto parsed, model::parse_source_url(url()));
  return GitOrigin::open(parsed, options, mirrors(), rig_.environment());
}

std::shared_ptr<GitOrigin> OriginWorld::open(model::MountOptions options) {
  auto opened = try_open(std::move(options));
  EXPECT_TRUE(opened.ok()) << (opened.ok() ? "" : opened.error().message);
  return opened.ok() ? *std::move(opened) : nullptr;
}

}  // namespace lazyvol::git
