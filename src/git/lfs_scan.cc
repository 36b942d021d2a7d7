#include "git/lfs_scan.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "git/fetch_all.h"
#include "git/git_error.h"
#include "git/lfs_endpoint.h"
#include "git/object_name.h"
#include "source/paths.h"

namespace lazyvol::git {
namespace {

using Number = Snapshot::Number;

// So many paths are asked about in one go: they are in memory.
constexpr std::size_t kPathsAtOnce = 50'000;
constexpr std::string_view kAttributes = ".gitattributes", kConfig = ".lfsconfig";

/// What of a .gitattributes comes before any such file can be LFS's; macros name it, too.
bool names_filter(std::string_view text) {
  return text.find("filter=lfs") != std::string_view::npos;
}

}  // namespace

std::string LfsScan::name_of(Number number) const {
  return object_name(snapshot_.node(number).remote, snapshot_.id(number));
}

bool LfsScan::is_file(Number number) const {
  const RowType type = snapshot_.node(number).type;
  return type == RowType::file || type == RowType::program;
}

Status LfsScan::run() {
  std::vector<std::vector<Number>> attributes(trees_.size());
  std::vector<Number> configs;
  std::vector<std::string> wanted;
  for (std::size_t i = 0; i < trees_.size(); ++i) {
    for (Number number = trees_[i].begin; number < trees_[i].end; ++number) {
      if (!is_file(number)) continue;
      const std::string_view name = snapshot_.name(number);
      if (name == kAttributes) {
        attributes[i].push_back(number);
      } else if (name == kConfig && snapshot_.node(number).parent == trees_[i].base) {
        configs.push_back(number);
      } else {
        continue;
      }
      wanted.push_back(name_of(number));
    }
  }
  if (wanted.size() > kMaxAttributeFiles) {
    return Error{Code::too_large, "the commit has too many .gitattributes"};
  }
  std::sort(wanted.begin(), wanted.end());
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  LAZYVOL_TRY(fetch_all(tools_.fetcher, wanted));
  for (const Number number : configs) LAZYVOL_TRY(read_config(number));
  for (std::size_t i = 0; i < trees_.size(); ++i) {
    LAZYVOL_TRY_ASSIGN(const bool any, mentions_lfs(attributes[i]));
    if (any) LAZYVOL_TRY(check(trees_[i], attributes[i]));
  }
  std::sort(files_.begin(), files_.end());
  return {};
}

Status LfsScan::read_config(Number lfsconfig) {
  const auto text = tools_.reader.read(std::string(snapshot_.id(lfsconfig)), kMaxLfsconfig);
  if (!text.ok()) return text.error().code == Code::too_large ? Status() : Status(text.error());
  const Command command = tools_.git({"config", "-f", "-", "--no-includes", "--get", "lfs.url"});
  LAZYVOL_TRY_ASSIGN(const Finished parsed,
                     git::run(command, *text, tools_.patience, kMaxLfsconfig));
  std::string url = parsed.output.substr(0, parsed.output.find('\n'));
  if (parsed.status == 0 && !url.empty()) {
    urls_.insert_or_assign(snapshot_.node(lfsconfig).remote, std::move(url));
  }
  return {};
}

Result<bool> LfsScan::mentions_lfs(const std::vector<Number>& attributes) const {
  bool any = false;
  for (const Number number : attributes) {
    const auto text = tools_.reader.read(std::string(snapshot_.id(number)), kMaxAttributes);
    if (!text.ok() && text.error().code != Code::too_large) return text.error();
    any = any || (text.ok() && names_filter(*text));
  }
  return any;
}

Command LfsScan::with_index(std::vector<std::string> words) const {
  words.insert(words.begin(), {"-c", "core.attributesFile=/dev/null"});
  Command command = tools_.git(words);
  command.environment.emplace_back("GIT_INDEX_FILE", tools_.index.string());
  command.environment.emplace_back("GIT_ATTR_NOSYSTEM", "1");
  return command;
}

/// The tree's .gitattributes as an index, then a question for each of its files.
Status LfsScan::check(const TreeRange& tree, const std::vector<Number>& attributes) {
  const std::size_t base = tree.base == Snapshot::kRoot ? 0 : snapshot_.path(tree.base).size() + 1;
  std::string rows;
  for (const Number number : attributes) {
    rows += "100644 " + std::string(snapshot_.id(number)) + "\t" +
            snapshot_.path(number).substr(base) + '\0';
  }
  // Also what a process that was killed left.
  ::unlink(tools_.index.c_str());
  ::unlink((tools_.index.string() + ".lock").c_str());
  LAZYVOL_TRY_ASSIGN(
      const Finished made,
      git::run(with_index({"update-index", "-z", "--index-info"}), rows, tools_.patience, 0));
  if (made.status != 0) return git_error("git update-index", made.errors);
  std::vector<Number> numbers;
  for (Number number = tree.begin; number < tree.end; ++number) {
    if (!is_file(number)) continue;
    numbers.push_back(number);
    if (numbers.size() < kPathsAtOnce) continue;
    LAZYVOL_TRY(ask(tree, numbers));
    numbers.clear();
  }
  const Status status = numbers.empty() ? Status() : ask(tree, numbers);
  ::unlink(tools_.index.c_str());
  return status;
}

/// git answers "PATH NUL filter NUL VALUE NUL" for each path, in their order.
Status LfsScan::ask(const TreeRange& tree, const std::vector<Number>& numbers) {
  const std::size_t base = tree.base == Snapshot::kRoot ? 0 : snapshot_.path(tree.base).size() + 1;
  std::string paths;
  for (const Number number : numbers) paths += snapshot_.path(number).substr(base) + '\0';
  std::size_t fields = 0;
  std::string field;
  const auto take = [&](std::string_view bytes) -> Status {
    for (const char c : bytes) {
      if (c != '\0') {
        field.push_back(c);
        continue;
      }
      const bool is_value = fields % 3 == 2;
      const std::size_t at = fields / 3;
      if (at >= numbers.size()) return Error{Code::corrupt, "git check-attr says too much"};
      if (is_value && field == "lfs") files_.push_back(numbers[at]);
      field.clear();
      ++fields;
    }
    return {};
  };
  LAZYVOL_TRY_ASSIGN(const Finished finished,
                     git::run(with_index({"check-attr", "--cached", "-z", "--stdin", "filter"}),
                              paths, tools_.patience, 0, take));
  if (finished.status != 0) return git_error("git check-attr", finished.errors);
  if (fields != 3 * numbers.size()) return Error{Code::corrupt, "git check-attr says too little"};
  if (files_.size() > kMaxLfsFiles) {
    return Error{Code::too_large, "the commit has too many files with filter=lfs"};
  }
  return {};
}

Result<Sizes> LfsScan::sizes_here() const {
  std::vector<std::string> ids;
  for (const Number number : files_) ids.emplace_back(snapshot_.id(number));
  LAZYVOL_TRY_ASSIGN(const auto found, tools_.reader.sizes(ids));
  Sizes sizes;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (found[i]) sizes.emplace(name_of(files_[i]), *found[i]);
  }
  return sizes;
}

Result<LfsPointers> LfsScan::pointers(const std::vector<std::string>& names) const {
  LAZYVOL_TRY(fetch_all(tools_.fetcher, names));
  LfsPointers out;
  for (const std::string& name : names) {
    const auto place = parse_object_name(name);
    if (!place) continue;
    const auto bytes = tools_.reader.read(place->id, kLfsPointerBytes);
    if (!bytes.ok() && bytes.error().code != Code::too_large) return bytes.error();
    if (!bytes.ok()) continue;
    if (auto pointer = parse_lfs_pointer(*bytes)) out.emplace(name, *std::move(pointer));
  }
  return out;
}

}  // namespace lazyvol::git
