#include "git/compile.h"

#include <fmt/core.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "catalog/catalog_read.h"
#include "support/temp_dir.h"

namespace lazyvol::git {
namespace {

using catalog::Entry;

std::string id(char digit) {
  return std::string(40, digit);
}

/// A tree in the order of git, as rows.
using Rows = std::vector<std::pair<std::string, std::pair<RowType, std::string>>>;

class Compile : public ::testing::Test {
 protected:
  Compile() {
    auto opened = LocalVolume::open(temp_.path() / "volume");
    EXPECT_TRUE(opened.ok());
    volume_ = *std::move(opened);
  }

  /// Compiles and commits; entries by path-less name within directory id.
  std::map<std::string, Entry> commit(const Rows& rows, std::int64_t date_s) {
    Snapshot snapshot;
    for (const auto& [path, what] : rows) {
      EXPECT_TRUE(snapshot.add(Snapshot::kRoot, 0, {what.first, what.second, path}).ok());
    }
    snapshot.finish();
    const CompileInput input{.snapshot = snapshot,
                             .commit = id('c'),
                             .commit_ns = date_s * 1'000'000'000,
                             .now_ns = 1,
                             .anew = false,
                             .targets = targets_,
                             .sizes = [&](std::uint16_t, const std::vector<std::string>& ids) {
                               asked_ += ids.size();
                               Sizes sizes;
                               for (const auto& one : ids) {
                                 const auto known = known_sizes_.find(one);
                                 if (known != known_sizes_.end()) sizes.insert(*known);
                               }
                               return Result<Sizes>(sizes);
                             }};
    auto compiled = compile(input, volume_->head(), *volume_);
    EXPECT_TRUE(compiled.ok()) << (compiled.ok() ? "" : compiled.error().message);
    if (!compiled.ok()) return {};
    last_ = *compiled;
    const auto head = volume_->commit(compiled->head);
    EXPECT_TRUE(head.ok()) << (head.ok() ? "" : head.error().message);
    return entries();
  }

  std::map<std::string, Entry> entries() {
    std::map<std::string, Entry> out;
    std::map<NodeId, std::string> paths{{kRootNode, ""}};
    std::vector<Entry> all;
    const auto root =
        std::make_shared<const std::string>(volume_->head()->document.head.roots.names);
    const auto status = catalog::for_each_entry(*volume_, root, [&](Entry entry) {
      all.push_back(std::move(entry));
      return Status();
    });
    EXPECT_TRUE(status.ok());
    for (std::size_t known = 0; known != out.size() || out.empty();) {
      known = out.size();
      for (const Entry& entry : all) {
        const auto parent = paths.find(entry.directory);
        if (parent == paths.end()) continue;
        const std::string path = parent->second + entry.name;
        if (entry.type == NodeType::directory) paths[entry.id] = path + "/";
        out.emplace(path, entry);
      }
      if (out.empty()) break;
    }
    EXPECT_EQ(out.size(), all.size());
    return out;
  }

  testing::TempDir temp_;
  std::unique_ptr<LocalVolume> volume_;
  std::map<std::string, std::string> targets_;
  Sizes known_sizes_;
  std::size_t asked_ = 0;
  Compiled last_;
};

TEST_F(Compile, EntriesShowModesSizesAndObjects) {
  known_sizes_ = {{id('1'), 11}, {id('2'), 22}};
  targets_ = {{id('3'), "../x"}};
  const auto tree = commit({{"dir", {RowType::directory, id('d')}},
                            {"dir/file", {RowType::file, id('1')}},
                            {"empty", {RowType::file, "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"}},
                            {"link", {RowType::symlink, id('3')}},
                            {"module", {RowType::submodule, id('4')}},
                            {"program", {RowType::program, id('2')}},
                            {"unknown", {RowType::file, id('5')}}},
                           100);
  ASSERT_EQ(tree.size(), 7U);
  EXPECT_EQ(tree.at("dir/file").size, 11U);
  EXPECT_EQ(tree.at("dir/file").mode, 0644U);
  EXPECT_EQ(std::get<catalog::ObjectContent>(tree.at("dir/file").content).name, id('1'));
  EXPECT_EQ(tree.at("program").mode, 0755U);
  EXPECT_EQ(tree.at("empty").size, 0U);
  EXPECT_EQ(tree.at("empty").content, catalog::Content());
  EXPECT_EQ(tree.at("link").symlink_target, "../x");
  EXPECT_EQ(tree.at("module").type, NodeType::directory);
  EXPECT_EQ(tree.at("unknown").size, catalog::kUnknownSize);
  EXPECT_EQ(tree.at("dir").mtime_ns, 100'000'000'000);
  EXPECT_EQ(tree.at("dir").nlink, 2U);
  EXPECT_EQ(last_.unknown_sizes, 1U);
  EXPECT_EQ(last_.head.statistics.files, 4U);
  EXPECT_EQ(last_.head.sequence, 1U);
}

TEST_F(Compile, WhatIsUnchangedKeepsItsIdAndTime) {
  known_sizes_ = {{id('1'), 1}, {id('2'), 2}, {id('3'), 3}};
  const auto before = commit({{"a", {RowType::directory, id('d')}},
                              {"a/same", {RowType::file, id('1')}},
                              {"a/other", {RowType::file, id('2')}},
                              {"b", {RowType::directory, id('d')}},
                              {"b/x", {RowType::file, id('1')}},
                              {"mode", {RowType::file, id('2')}},
                              {"type", {RowType::file, id('2')}}},
                             100);
  asked_ = 0;
  const auto after = commit({{"a", {RowType::directory, id('e')}},
                             {"a/other", {RowType::file, id('3')}},
                             {"a/same", {RowType::file, id('1')}},
                             {"b", {RowType::directory, id('d')}},
                             {"b/x", {RowType::file, id('1')}},
                             {"mode", {RowType::program, id('2')}},
                             {"type", {RowType::directory, id('d')}}},
                            200);
  EXPECT_EQ(asked_, 1U);
  EXPECT_EQ(after.at("a/same"), before.at("a/same"));
  EXPECT_EQ(after.at("b"), before.at("b"));
  EXPECT_EQ(after.at("b/x"), before.at("b/x"));
  EXPECT_EQ(after.at("a").id, before.at("a").id);
  EXPECT_EQ(after.at("a").mtime_ns, 200'000'000'000);
  for (const char* changed : {"a/other", "mode", "type"}) {
    EXPECT_NE(after.at(changed).id, before.at(changed).id) << changed;
    EXPECT_EQ(after.at(changed).mtime_ns, 200'000'000'000) << changed;
  }
  EXPECT_EQ(last_.head.sequence, 2U);
  EXPECT_EQ(last_.changed, 4U);
}

TEST_F(Compile, AnIdIsNeverGivenOutTwice) {
  std::map<NodeId, std::string> given;
  for (int round = 0; round < 6; ++round) {
    Rows rows;
    const char digit = static_cast<char>('1' + round % 2);
    for (int file = 0; file < 5; ++file) {
      rows.push_back({"f" + std::to_string(file), {RowType::file, id(file % 2 ? '9' : digit)}});
    }
    for (const auto& [path, entry] : commit(rows, round)) {
      const std::string what = path + std::get<catalog::ObjectContent>(entry.content).name;
      const auto [known, fresh] = given.emplace(entry.id, what);
      EXPECT_EQ(known->second, what);
    }
  }
}

TEST_F(Compile, EditedCatalogEqualsOneMadeAnew) {
  Rows rows;
  for (int file = 0; file < 3000; ++file) {
    rows.push_back({fmt::format("f{:05}", file), {RowType::file, id('1')}});
  }
  commit(rows, 1);
  rows[1500].second.second = id('2');
  rows.erase(rows.begin() + 7);
  const auto edited = commit(rows, 2);
  EXPECT_EQ(edited.size(), 2999U);
  EXPECT_EQ(last_.changed, 2U);
  EXPECT_EQ(edited.at("f01500").mtime_ns, 2'000'000'000);
  EXPECT_EQ(edited.at("f01501").mtime_ns, 1'000'000'000);
}

TEST_F(Compile, OldPacksGoWithTheRevisionsThatNeedThem) {
  for (int round = 0; round < 30; ++round) {
    Rows rows;
    for (int file = 0; file < 2000; ++file) {
      const bool other = file % 30 == round;
      rows.push_back({fmt::format("f{:05}", file), {RowType::file, id(other ? '2' : '1')}});
    }
    ASSERT_EQ(commit(rows, round).size(), 2000U);
  }
  std::size_t packs = 0;
  for (const auto& file :
       std::filesystem::recursive_directory_iterator(volume_->directory() / "packs")) {
    packs += file.is_regular_file();
  }
  EXPECT_LT(packs, 40U);
}

TEST_F(Compile, ANewProcessGoesOnWhereTheLastOneWas) {
  commit({{"a", {RowType::file, id('1')}}}, 1);
  const auto signer = volume_->signer();
  volume_ = *LocalVolume::open(temp_.path() / "volume");
  EXPECT_EQ(volume_->signer(), signer);
  ASSERT_TRUE(volume_->head());
  EXPECT_EQ(volume_->head()->document.head.sequence, 1U);
  commit({{"a", {RowType::file, id('2')}}}, 2);
  EXPECT_EQ(volume_->head()->document.head.sequence, 2U);
}

TEST_F(Compile, AHundredThousandFilesTakeNotLong) {
  Rows rows;
  for (int dir = 0; dir < 1000; ++dir) {
    const std::string name = fmt::format("d{:04}", dir);
    rows.push_back({name, {RowType::directory, id('d')}});
    for (int file = 0; file < 100; ++file) {
      const std::string object = fmt::format("{:040x}", dir * 100 + file);
      known_sizes_.emplace(object, file);
      rows.push_back({fmt::format("{}/file{:03}", name, file), {RowType::file, object}});
    }
  }
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(commit(rows, 1).size(), 101'000U);
  const auto first = std::chrono::steady_clock::now();
  rows[50].second.second = id('f');
  commit(rows, 2);
  const auto second = std::chrono::steady_clock::now();
  using Seconds = std::chrono::duration<double>;
  RecordProperty("first", std::to_string(Seconds(first - begun).count()));
  RecordProperty("second", std::to_string(Seconds(second - first).count()));
  EXPECT_LT(first - begun, std::chrono::seconds(60));
}

}  // namespace
}  // namespace lazyvol::git
