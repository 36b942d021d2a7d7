#include <fmt/core.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "source/http_date.h"
#include "source/index_page.h"
#include "source/raw_text.h"

namespace lazyvol::source {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxDepth = 16;
// A file that changed this shortly before the listing may change again without showing it: listed
// times are whole seconds.
constexpr std::int64_t kSettleSeconds = 2;

// The fields that either format has; what a row lacks stays empty.
struct Row {
  std::optional<std::string> name, type, mtime, url, mod_time;
  std::optional<std::uint64_t> size;
  std::optional<bool> is_dir, is_symlink;
};

void set_times_and_size(RemoteEntry& entry, std::optional<std::int64_t> mtime_s,
                        std::optional<std::uint64_t> size, std::int64_t now_s) {
  constexpr std::int64_t kMostSeconds = 9'000'000'000;  // year 2255: nanoseconds fit into 63 bits
  if (mtime_s && (*mtime_s > kMostSeconds || *mtime_s < -kMostSeconds)) mtime_s.reset();
  if (mtime_s) entry.mtime_ns = *mtime_s * 1'000'000'000;
  if (entry.type != NodeType::file) return;
  entry.size = size;
  if (!mtime_s || !size) return;
  entry.validator = mtime_validator(*mtime_s, *size);
  entry.settled = now_s - *mtime_s >= kSettleSeconds;
}

// {"name", "type": file|directory|other, "mtime": HTTP-date, "size" of files}; the name is raw.
bool add_nginx_row(EntryCollector& collector, Row row, std::int64_t now_s) {
  RemoteEntry entry;
  if (*row.type == "directory") {
    entry.type = NodeType::directory;
  } else if (*row.type != "file") {
    return true;  // sockets, devices and dangling links: nothing that could be read
  }
  entry.name = *std::move(row.name);
  set_times_and_size(entry, row.mtime ? parse_http_date(*row.mtime) : std::nullopt, row.size,
                     now_s);
  return collector.add(std::move(entry));
}

// {"name", "url", "is_dir", "is_symlink", "size", "mod_time": RFC 3339}. The name has lost what is
// not UTF-8; the url has not.
bool add_caddy_row(EntryCollector& collector, const Row& row, const IndexBase& base,
                   std::int64_t now_s) {
  ResolvedLink link = base.resolve(*row.url);
  if (link.kind == ResolvedLink::Kind::refused) collector.refuse();
  if (link.kind != ResolvedLink::Kind::child) return true;
  RemoteEntry entry;
  entry.type = *row.is_dir ? NodeType::directory : NodeType::file;
  entry.name = std::move(link.name);
  // Of a link, Caddy lists the link's own time but serves the target's. And for a file of the epoch
  // it sends no Last-Modified at all.
  const bool exact = !row.is_symlink.value_or(false);
  auto mtime_s = exact && row.mod_time ? parse_rfc3339(*row.mod_time) : std::nullopt;
  if (mtime_s == 0) mtime_s.reset();
  set_times_and_size(entry, mtime_s, exact ? row.size : std::nullopt, now_s);
  return collector.add(std::move(entry));
}

// Takes [ {…}, {…} ] apart while it is parsed: no tree is built. Unknown fields, also nested ones,
// are passed over.
class IndexHandler : public json::json_sax_t {
 public:
  IndexHandler(const IndexBase& base, std::int64_t now_s) : base_(base), now_s_(now_s) {}

  std::optional<Error>& error() { return error_; }
  EntryCollector& collector() { return collector_; }

  bool null() override { return scalar(); }
  bool boolean(bool value) override {
    if (bool_field_ != nullptr) *bool_field_ = value;
    return scalar();
  }
  bool number_integer(number_integer_t) override { return scalar(); }
  bool number_unsigned(number_unsigned_t value) override {
    if (size_field_ != nullptr) *size_field_ = value;
    return scalar();
  }
  bool number_float(number_float_t, const string_t&) override { return scalar(); }
  bool string(string_t& value) override {
    if (string_field_ != nullptr) *string_field_ = unescape_bytes(value);
    return scalar();
  }
  bool binary(binary_t&) override { return scalar(); }

  bool start_object(std::size_t) override {
    forget_field();
    if (depth_ == 0) return other_shape();
    if (depth_ == 1) row_ = Row{};
    return deeper();
  }
  bool key(string_t& name) override {
    forget_field();
    if (depth_ == 2) choose_field(name);
    return true;
  }
  bool end_object() override {
    --depth_;
    return depth_ != 1 || end_row();
  }
  bool start_array(std::size_t) override {
    forget_field();
    if (depth_ == 1) return other_shape();
    return deeper();
  }
  bool end_array() override {
    --depth_;
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const json::exception&) override {
    if (!error_) error_ = not_an_index(fmt::format("broken JSON at byte {}", position));
    return false;
  }

 private:
  bool scalar() {
    forget_field();
    return depth_ >= 2 || other_shape();
  }
  bool deeper() { return ++depth_ <= kMaxDepth || other_shape(); }
  bool other_shape() {
    error_ = not_an_index("JSON of another shape");
    return false;
  }
  void forget_field() {
    string_field_ = nullptr;
    bool_field_ = nullptr;
    size_field_ = nullptr;
  }
  void choose_field(const std::string& name) {
    if (name == "name") string_field_ = &row_.name;
    if (name == "type") string_field_ = &row_.type;
    if (name == "mtime") string_field_ = &row_.mtime;
    if (name == "url") string_field_ = &row_.url;
    if (name == "mod_time") string_field_ = &row_.mod_time;
    if (name == "size") size_field_ = &row_.size;
    if (name == "is_dir") bool_field_ = &row_.is_dir;
    if (name == "is_symlink") bool_field_ = &row_.is_symlink;
  }
  bool end_row() {
    bool fits = false;
    if (row_.name && row_.url && row_.is_dir) {
      fits = add_caddy_row(collector_, row_, base_, now_s_);
    } else if (row_.name && row_.type) {
      fits = add_nginx_row(collector_, std::move(row_), now_s_);
    } else {
      return other_shape();
    }
    if (!fits) error_ = Error{Code::too_large, "the index has too many entries"};
    return fits;
  }

  const IndexBase& base_;
  const std::int64_t now_s_;
  EntryCollector collector_;
  std::optional<Error> error_;
  Row row_;
  std::size_t depth_ = 0;
  // Where the value that comes next belongs; at most one is set.
  std::optional<std::string>* string_field_ = nullptr;
  std::optional<bool>* bool_field_ = nullptr;
  std::optional<std::uint64_t>* size_field_ = nullptr;
};

}  // namespace

Result<Listing> parse_json_index(std::string_view body, const IndexBase& base, std::int64_t now_s) {
  IndexHandler handler(base, now_s);
  const bool complete = json::sax_parse(EscapingIterator(body.data()),
                                        EscapingIterator(body.data() + body.size()), &handler);
  if (handler.error()) return *std::move(handler.error());
  if (!complete) return not_an_index("broken JSON");
  return std::move(handler.collector()).finish();
}

}  // namespace lazyvol::source
