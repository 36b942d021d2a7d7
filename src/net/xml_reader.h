// Small XML documents of web services (S3, STS), element by element, without a tree.
//
// By libxml2's push parser. The bytes are untrusted: no DTD (hence no entities but the five), no
// network, bounded depth and text.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "lazyvol/error.h"

namespace lazyvol::net {

/// Sees the elements of one document in order. Names are local (without prefix).
class XmlHandler {
 public:
  virtual ~XmlHandler() = default;
  virtual void start(std::string_view /*name*/) {}
  /// `text` is what stood in the element after its last child. Return false to stop there.
  virtual bool end(std::string_view name, std::string_view text) = 0;
};

/// Parses a whole document. Errors: corrupt (not well-formed, cut short, a DTD, deeper than 16
/// elements, a text of more than 64 KiB); cancelled when the handler stopped it. Messages hold
/// nothing of the document. Thread-safe.
Status parse_xml(std::string_view document, XmlHandler& handler);

/// The texts of a document by the name of their element; the first one of each name. For error
/// documents and other short answers. Errors: as parse_xml(); corrupt past 256 names.
Result<std::map<std::string, std::string>> xml_texts(std::string_view document);

}  // namespace lazyvol::net
