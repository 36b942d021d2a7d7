#include "net/xml_reader.h"

#include <libxml/parser.h>

#include <memory>
#include <mutex>
#include <optional>

namespace lazyvol::net {
namespace {

constexpr int kMaxDepth = 16;
constexpr std::size_t kMaxText = 64 * 1024;
constexpr std::size_t kPiece = 32 * 1024;

std::string_view view(const xmlChar* text) {
  return reinterpret_cast<const char*>(text);
}

class Document {
 public:
  explicit Document(XmlHandler& handler) : handler_(handler) {}

  void attach(xmlParserCtxtPtr context) { context_ = context; }
  bool stopped() const { return error_.has_value(); }
  const std::optional<Error>& error() const { return error_; }

  void start(const xmlChar* name) {
    if (stopped()) return;
    if (++depth_ > kMaxDepth) return stop(Code::corrupt, "XML that is nested too deeply");
    text_.clear();
    handler_.start(view(name));
  }
  void end(const xmlChar* name) {
    if (stopped()) return;
    --depth_;
    if (!handler_.end(view(name), text_)) return stop(Code::cancelled, "stopped");
    text_.clear();
  }
  void text(std::string_view piece) {
    if (stopped()) return;
    if (text_.size() + piece.size() > kMaxText) return stop(Code::corrupt, "XML with a long text");
    text_ += piece;
  }
  void refuse_dtd() { stop(Code::corrupt, "XML with a document type"); }

 private:
  void stop(Code code, const char* why) {
    if (error_) return;
    error_ = Error{code, why};
    xmlStopParser(context_);
  }

  XmlHandler& handler_;
  xmlParserCtxtPtr context_ = nullptr;
  std::optional<Error> error_;
  std::string text_;
  int depth_ = 0;
};

// libxml2 passes the parser's context where SAX1 handlers get the user's data, if they are the
// same.
Document& document(void* data) {
  return *static_cast<Document*>(data);
}

void on_start(void* data, const xmlChar* name, const xmlChar*, const xmlChar*, int, const xmlChar**,
              int, int, const xmlChar**) {
  document(data).start(name);
}
void on_end(void* data, const xmlChar* name, const xmlChar*, const xmlChar*) {
  document(data).end(name);
}
void on_text(void* data, const xmlChar* text, int length) {
  document(data).text({reinterpret_cast<const char*>(text), static_cast<std::size_t>(length)});
}
void on_subset(void* data, const xmlChar*, const xmlChar*, const xmlChar*) {
  document(data).refuse_dtd();
}
// The five predefined ones; others need a DTD.
xmlEntityPtr on_entity(void*, const xmlChar* name) {
  return xmlGetPredefinedEntity(name);
}
void on_complaint(void*, xmlErrorPtr) {}

struct FreeContext {
  void operator()(xmlParserCtxtPtr context) const { xmlFreeParserCtxt(context); }
};

class Texts : public XmlHandler {
 public:
  static constexpr std::size_t kMaxNames = 256;

  bool end(std::string_view name, std::string_view text) override {
    found_.emplace(name, text);
    return found_.size() <= kMaxNames;
  }
  std::map<std::string, std::string> take() { return std::move(found_); }

 private:
  std::map<std::string, std::string> found_;
};

}  // namespace

Status parse_xml(std::string_view text, XmlHandler& handler) {
  static std::once_flag once;
  std::call_once(once, xmlInitParser);
  xmlSAXHandler sax{};
  sax.initialized = XML_SAX2_MAGIC;
  sax.startElementNs = on_start;
  sax.endElementNs = on_end;
  sax.characters = on_text;
  sax.cdataBlock = on_text;
  sax.internalSubset = on_subset;
  sax.getEntity = on_entity;
  sax.serror = on_complaint;
  Document reading(handler);
  const std::unique_ptr<xmlParserCtxt, FreeContext> context(
      xmlCreatePushParserCtxt(&sax, &reading, nullptr, 0, nullptr));
  if (!context) return Error{Code::out_of_memory, "no memory for an XML parser"};
  reading.attach(context.get());
  xmlCtxtUseOptions(context.get(), XML_PARSE_NONET);
  const auto feed = [&](std::string_view piece, int last) {
    return xmlParseChunk(context.get(), piece.data(), static_cast<int>(piece.size()), last) == 0;
  };
  bool well_formed = true;
  for (std::size_t at = 0; at < text.size() && well_formed && !reading.stopped(); at += kPiece) {
    well_formed = feed(text.substr(at, kPiece), 0);
  }
  if (well_formed && !reading.stopped()) well_formed = feed({}, 1);
  if (reading.stopped()) return *reading.error();
  if (!well_formed || context->wellFormed == 0) return Error{Code::corrupt, "not well-formed XML"};
  return {};
}

Result<std::map<std::string, std::string>> xml_texts(std::string_view text) {
  Texts texts;
  auto status = parse_xml(text, texts);
  if (!status.ok() && status.error().code == Code::cancelled) {
    return Error{Code::corrupt, "XML with too many elements"};
  }
  if (!status.ok()) return std::move(status).error();
  return texts.take();
}

}  // namespace lazyvol::net
