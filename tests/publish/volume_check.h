// Is a published volume the tree that it was made of? By other means than the publisher's.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "catalog/entry.h"
#include "catalog/head.h"
#include "publish/store.h"

namespace lazyvol::publish {

/// The present head; fails the test when there is none.
catalog::Head head_of(Store& store);

/// All entries by their path; fails the test when the catalog is damaged.
std::map<std::string, catalog::Entry> entries_of(Store& store);

/// Fails the test unless the volume shows every name of `tree` (but sockets, fifos and devices)
/// with its attributes, hard links and bytes, and nothing else.
void expect_shows(Store& store, const std::filesystem::path& tree);

/// Fails the test unless both trees of the catalog are what CatalogBuilder makes of their entries,
/// byte for byte, and every id leads to its entry.
void expect_as_rebuilt(Store& store);

/// Fails the test unless every pack is whole and no file lies about but what a volume has.
void expect_sound_packs(Store& store);

}  // namespace lazyvol::publish
