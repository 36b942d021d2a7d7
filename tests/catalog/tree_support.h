// Trees and models side by side.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "catalog/catalog_build.h"
#include "catalog/catalog_read.h"
#include "memory_pages.h"
#include "samples.h"

namespace lazyvol::catalog {

/// Small pages make high trees of few entries.
inline constexpr Chunking kSmall{10, 10};

inline Page page_of(const std::string& bytes) {
  return std::make_shared<const std::string>(bytes);
}

inline Roots build(MemoryPages& pages, const Model& model, const Chunking& chunking = kSmall) {
  CatalogBuilder builder(pages, chunking);
  for (const auto& [key, entry] : model) {
    const auto added = builder.add(entry);
    EXPECT_TRUE(added.ok()) << added.error().message;
  }
  auto roots = builder.finish();
  EXPECT_TRUE(roots.ok()) << roots.error().message;
  return *std::move(roots);
}

/// Random edits, applied to `model` as well.
inline std::vector<EntryEdit> random_edits(Random& random, Model& model, std::size_t count,
                                           std::uint64_t directories, std::uint64_t names) {
  std::map<std::string, std::optional<Entry>> edits;
  while (edits.size() < count) {
    Entry entry = random.entry(directories, names);
    const std::string key = name_key(entry.directory, entry.name);
    if (random.below(3) == 0) {
      edits[key] = std::nullopt;
    } else {
      edits[key] = entry;
    }
  }
  std::vector<EntryEdit> result;
  for (auto& [key, entry] : edits) {
    if (entry) {
      model[key] = *entry;
    } else {
      model.erase(key);
    }
    result.push_back({key, entry});
  }
  return result;
}

}  // namespace lazyvol::catalog
