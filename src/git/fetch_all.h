// Waiting for many blobs at once.
#pragma once

#include <string>
#include <vector>

#include "git/blob_fetcher.h"
#include "lazyvol/error.h"

namespace lazyvol::git {

/// Waits until all objects are here, or one could not be had. Not on the fetcher's thread.
Status fetch_all(BlobFetcher& fetcher, const std::vector<std::string>& names);

}  // namespace lazyvol::git
