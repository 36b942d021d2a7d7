#include <fmt/core.h>
#include <libxml/HTMLparser.h>
#include <libxml/parser.h>

#include <memory>
#include <mutex>

#include "source/index_page.h"
#include "source/paths.h"
#include "source/raw_text.h"

namespace lazyvol::source {
namespace {

constexpr int kMaxDepth = 200;            // of open elements: real indexes stay below 12
constexpr std::size_t kMaxHeading = 256;  // bytes kept of <title> and <h1>
constexpr std::size_t kMaxToken = 160;    // bytes kept of a row's text
constexpr std::size_t kPiece = 32 * 1024;

std::string_view view(const xmlChar* text) {
  return reinterpret_cast<const char*>(text);
}

bool starts_with_ignoring_case(std::string_view text, std::string_view lower_prefix) {
  if (text.size() < lower_prefix.size()) return false;
  for (std::size_t i = 0; i < lower_prefix.size(); ++i) {
    const char c = text[i] >= 'A' && text[i] <= 'Z' ? static_cast<char>(text[i] | 0x20) : text[i];
    if (c != lower_prefix[i]) return false;
  }
  return true;
}

// Appends with runs of white space as one space, none at the beginning, up to `most` bytes.
void append_text(std::string& out, std::string_view text, std::size_t most) {
  for (const char c : text) {
    if (out.size() >= most) return;
    const bool space = c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f';
    if (!space) {
      out.push_back(c);
    } else if (!out.empty() && out.back() != ' ') {
      out.push_back(' ');
    }
  }
}

// Sees the document element by element; no tree is built.
class PageReader {
 public:
  explicit PageReader(const IndexBase& base) : base_(base) {}

  void attach(htmlParserCtxtPtr context) { context_ = context; }
  bool stopped() const { return error_.has_value(); }

  void start(std::string_view element, const xmlChar** attributes) {
    if (context_->nameNr > kMaxDepth) return stop(not_an_index("nested too deeply"));
    if (element == "title" && title_.empty()) heading_ = &title_;
    if (element == "h1" && h1_.empty()) heading_ = &h1_;
    if (element == "tr" || element == "li") end_row();
    if (element == "td") text(" ");
    if (attribute(attributes, "id") == "summary") caddy_ = true;
    if (element != "a") return;
    end_row();
    if (const auto href = attribute(attributes, "href")) start_row(unescape_bytes(*href));
  }

  void end(std::string_view element) {
    if (element == "title" || element == "h1") heading_ = nullptr;
    if (element == "a") in_link_ = false;
    if (element == "tr" || element == "li" || element == "ul" || element == "pre" ||
        element == "table") {
      end_row();
    }
  }

  void text(std::string_view piece) {
    if (heading_ != nullptr) append_text(*heading_, piece, kMaxHeading);
    if (has_row_ && !in_link_) append_text(row_.token, piece, kMaxToken);
  }

  Result<Listing> finish() && {
    end_row();
    if (error_) return *std::move(error_);
    if (!is_index()) {
      const std::string_view heading = title_.empty() ? h1_ : title_;
      return not_an_index(heading.empty()
                              ? std::string("an HTML page without a title")
                              : fmt::format("an HTML page titled \"{}\"", printable(heading)));
    }
    return std::move(collector_).finish();
  }

 private:
  static std::optional<std::string_view> attribute(const xmlChar** attributes,
                                                   std::string_view name) {
    for (; attributes != nullptr && attributes[0] != nullptr; attributes += 2) {
      if (view(attributes[0]) == name && attributes[1] != nullptr) return view(attributes[1]);
    }
    return std::nullopt;
  }

  bool is_index() const {
    for (const std::string_view heading : {title_, h1_}) {
      if (starts_with_ignoring_case(heading, "index of")) return true;
      if (starts_with_ignoring_case(heading, "directory listing")) return true;
    }
    return caddy_ && h1_.starts_with('/');
  }

  void start_row(const std::string& href) {
    ResolvedLink link = base_.resolve(href);
    if (link.kind == ResolvedLink::Kind::refused) collector_.refuse();
    if (link.kind != ResolvedLink::Kind::child) return;
    row_ = RemoteEntry{};
    row_.name = std::move(link.name);
    row_.type = link.directory ? NodeType::directory : NodeType::file;
    has_row_ = true;
    in_link_ = true;
  }

  void end_row() {
    in_link_ = false;
    if (!has_row_) return;
    has_row_ = false;
    while (!row_.token.empty() && row_.token.back() == ' ') row_.token.pop_back();
    if (!collector_.add(std::move(row_))) {
      stop(Error{Code::too_large, "the index has too many entries"});
    }
  }

  void stop(Error error) {
    if (error_) return;
    error_ = std::move(error);
    xmlStopParser(context_);
  }

  const IndexBase& base_;
  htmlParserCtxtPtr context_ = nullptr;
  EntryCollector collector_;
  std::optional<Error> error_;
  std::string title_, h1_;
  std::string* heading_ = nullptr;  // which of the two is being read
  bool caddy_ = false;              // has the element that only Caddy's page has
  RemoteEntry row_;
  bool has_row_ = false;
  bool in_link_ = false;  // the shown name may be cut; only what follows it counts
};

PageReader& reader(void* data) {
  return *static_cast<PageReader*>(data);
}

void on_start(void* data, const xmlChar* name, const xmlChar** attributes) {
  reader(data).start(view(name), attributes);
}
void on_end(void* data, const xmlChar* name) {
  reader(data).end(view(name));
}
void on_text(void* data, const xmlChar* text, int length) {
  reader(data).text({reinterpret_cast<const char*>(text), static_cast<std::size_t>(length)});
}

struct FreeContext {
  void operator()(htmlParserCtxtPtr context) const { htmlFreeParserCtxt(context); }
};

// Every generator ends its page so; without it the page was cut off, and names may be missing.
bool ends_as_html(std::string_view body) {
  std::string tail(body.substr(body.size() - std::min<std::size_t>(body.size(), 4096)));
  for (char& c : tail) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  }
  return tail.find("</html>") != std::string::npos;
}

}  // namespace

Result<Listing> parse_html_index(std::string_view body, const IndexBase& base) {
  static std::once_flag once;
  std::call_once(once, xmlInitParser);
  htmlSAXHandler handler{};
  handler.startElement = on_start;
  handler.endElement = on_end;
  handler.characters = on_text;
  handler.ignorableWhitespace = on_text;
  PageReader page(base);
  const std::unique_ptr<htmlParserCtxt, FreeContext> context(
      htmlCreatePushParserCtxt(&handler, &page, nullptr, 0, nullptr, XML_CHAR_ENCODING_UTF8));
  if (!context) return Error{Code::out_of_memory, "no memory for an HTML parser"};
  page.attach(context.get());
  htmlCtxtUseOptions(context.get(), HTML_PARSE_RECOVER | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING |
                                        HTML_PARSE_NONET | HTML_PARSE_IGNORE_ENC);
  std::string piece;
  for (std::size_t at = 0; at < body.size() && !page.stopped(); at += kPiece) {
    piece.clear();
    append_escaped(piece, body.substr(at, kPiece));
    htmlParseChunk(context.get(), piece.data(), static_cast<int>(piece.size()), 0);
  }
  if (!page.stopped()) htmlParseChunk(context.get(), nullptr, 0, 1);
  auto listing = std::move(page).finish();
  if (listing.ok() && !ends_as_html(body)) return not_an_index("an index that was cut short");
  return listing;
}

}  // namespace lazyvol::source
