// The whole check of a page or file map that has just arrived. docs/format.md, "Pages", "File
// maps".
//
// A hash proves that the bytes are the publisher's, not that they make sense. Views (LeafPage and
// its like) are safe on any bytes and check what they meet; this meets everything, once. Thread
// rule: pure functions.
#pragma once

#include <string_view>

#include "lazyvol/error.h"

namespace lazyvol::catalog {

/// Everything that an encoder of pages guarantees, for whichever kind the header says: order, names
/// and keys, entries, references to frames. Costs a decoding. Errors: corrupt.
Status validate_page(std::string_view page);

/// The same for a file map. Errors: corrupt.
Status validate_file_map(std::string_view map);

}  // namespace lazyvol::catalog
