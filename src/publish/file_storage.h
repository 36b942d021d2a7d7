// The files of a tree that have to be read: read, cut, and stored unless they are.
#pragma once

#include <vector>

#include "lazyvol/error.h"
#include "publish/bundler.h"
#include "publish/contents.h"
#include "publish/file_rows.h"
#include "publish/match.h"
#include "publish/progress.h"
#include "publish/read_ahead.h"
#include "publish/tree.h"

namespace lazyvol::publish {

/// Takes `match.to_read` from `ahead`, which reads them in this order, and hands their chunks to
/// `bundler`. Content i becomes that of file i. A file that turns out to be what it was keeps its
/// id; another one loses it, and its row its claim. What a node is when it was read replaces what
/// it was when it was scanned. Errors: those of `ahead` and `bundler`.
Status store_files(ReadAhead& ahead, Bundler& bundler, Tree& tree, Match& match,
                   const FileRows& rows, Contents& contents, Progress& progress);

/// The rows that the state has to get, of nodes that have their ids: what is not known yet.
std::vector<FileRow> new_rows(const Tree& tree, const Match& match, const Contents& contents,
                              const FileRows& rows);

}  // namespace lazyvol::publish
