#include "source/s3_listing.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "net/xml_reader.h"
#include "source/http_date.h"
#include "source/index_names.h"
#include "source/index_page.h"

namespace lazyvol::source {
namespace {

// As mtime_validator: what changed within the second of a listing may change again unseen.
constexpr std::int64_t kSettleSeconds = 2;

Error not_a_page(std::string_view why) {
  return Error{Code::corrupt, fmt::format("is no answer to ListObjectsV2 ({})", why)};
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// encoding-type=url: as in forms, where '+' is a space. %00 is kept: the name is refused later.
std::string form_decoded(const std::string& text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
    if (low >= 0) {
      out.push_back(static_cast<char>(high * 16 + low));
      i += 2;
    } else {
      out.push_back(text[i] == '+' ? ' ' : text[i]);
    }
  }
  return out;
}

bool is_control(unsigned value) {
  return value < 0x20 && value != '\t' && value != '\n' && value != '\r';
}

// The length of a reference such as "&#x1;" to a control character at the front; 0 when it is none.
std::size_t control_reference(std::string_view text) {
  constexpr std::size_t kLongest = 12;
  const std::size_t end = text.substr(0, kLongest).find(';');
  if (!text.starts_with("&#") || end == std::string_view::npos) return 0;
  std::string_view digits = text.substr(2, end - 2);
  const bool hex = digits.starts_with('x') || digits.starts_with('X');
  if (hex) digits.remove_prefix(1);
  unsigned value = 0;
  const auto parsed =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, hex ? 16 : 10);
  const bool whole = parsed.ec == std::errc() && parsed.ptr == digits.data() + digits.size();
  return whole && is_control(value) ? end + 1 : 0;
}

// The document with '?' for what XML cannot hold; nullopt when there is nothing of that kind. Ceph
// encodes the keys, but gives the prefix that was asked for back with references to its control
// characters.
std::optional<std::string> without_controls(std::string_view document) {
  std::string out;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < document.size(); ++i) {
    std::size_t length = 0;
    if (document[i] == '&') length = control_reference(document.substr(i));
    if (is_control(static_cast<unsigned char>(document[i]))) length = 1;
    if (length == 0) continue;
    out.append(document.substr(kept, i - kept)).push_back('?');
    kept = i + length;
    i = kept - 1;
  }
  if (kept == 0) return std::nullopt;
  return out.append(document.substr(kept));
}

std::string without_quotes(std::string_view etag) {
  if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"') {
    etag = etag.substr(1, etag.size() - 2);
  }
  return std::string(etag);
}

// A tag as HttpVersion takes it from a response's field; others identify nothing.
bool is_usable_etag(std::string_view etag) {
  constexpr std::size_t kLongest = 256;
  return !etag.empty() && etag.size() <= kLongest &&
         std::none_of(etag.begin(), etag.end(),
                      [](char c) { return c == '"' || c == '\x7f' || (c >= 0 && c <= ' '); });
}

class PageReader : public net::XmlHandler {
 public:
  void start(std::string_view name) override {
    path_.emplace_back(name);
    if (path_.size() == 2 && name == "Contents") object_ = {};
    if (path_.size() == 2) has_key_ = has_size_ = false;
  }

  bool end(std::string_view name, std::string_view text) override {
    bool fits = true;
    if (path_.size() == 1) is_page_ = name == "ListBucketResult";
    if (path_.size() == 2) fits = end_field(name, text);
    if (path_.size() == 3 && path_[1] == "Contents") fits = end_of_object_field(name, text);
    if (path_.size() == 3 && path_[1] == "CommonPrefixes" && name == "Prefix") {
      page_.prefixes.emplace_back(text);
    }
    path_.pop_back();
    return fits;
  }

  bool encoded() const { return encoded_; }

  Result<S3Page> finish() && {
    if (!is_page_) return not_a_page("another document");
    if (truncated_ && page_.next_token.empty()) return not_a_page("truncated without a token");
    if (!truncated_) page_.next_token.clear();
    if (!encoded_) return std::move(page_);
    for (auto& object : page_.objects) object.key = form_decoded(object.key);
    for (auto& prefix : page_.prefixes) prefix = form_decoded(prefix);
    return std::move(page_);
  }

 private:
  bool end_field(std::string_view name, std::string_view text) {
    if (name == "IsTruncated") truncated_ = text == "true";
    if (name == "NextContinuationToken") page_.next_token = text;
    if (name == "EncodingType") encoded_ = text == "url";
    if (name != "Contents") return true;
    page_.objects.push_back(std::move(object_));
    return has_key_ && has_size_;
  }

  bool end_of_object_field(std::string_view name, std::string_view text) {
    if (name == "Key") {
      object_.key = text;
      has_key_ = true;
    } else if (name == "ETag") {
      object_.etag = without_quotes(text);
    } else if (name == "LastModified") {
      object_.mtime_s = parse_rfc3339(text);
    } else if (name == "Size") {
      const auto parsed = std::from_chars(text.data(), text.data() + text.size(), object_.size);
      has_size_ = parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
      return has_size_;
    }
    return true;
  }

  std::vector<std::string> path_;  // of the open elements
  S3Page page_;
  S3Page::Object object_;
  bool is_page_ = false, truncated_ = false, encoded_ = false;
  bool has_key_ = false, has_size_ = false;
};

}  // namespace

Result<S3Page> parse_s3_page(std::string_view document) {
  const auto cleaned = without_controls(document);
  if (cleaned) document = *cleaned;
  PageReader reader;
  const auto status = net::parse_xml(document, reader);
  if (!status.ok() && status.error().code == Code::out_of_memory) return status.error();
  if (!status.ok() && status.error().code == Code::cancelled) {
    return not_a_page("a row without key or size");
  }
  if (!status.ok()) return not_a_page(status.error().message);
  if (cleaned && !reader.encoded()) return not_a_page("control characters");
  return std::move(reader).finish();
}

S3DirectoryBuilder::S3DirectoryBuilder(std::string prefix, std::int64_t now_s)
    : prefix_(std::move(prefix)), now_s_(now_s) {}

Status S3DirectoryBuilder::add_entry(RemoteEntry entry) {
  if (!valid_name(entry.name)) {
    ++refused_;
    return {};
  }
  if (entries_.size() >= kMaxIndexEntries) {
    return Error{Code::too_large, "the directory has too many entries"};
  }
  entries_.push_back(std::move(entry));
  return {};
}

void S3DirectoryBuilder::add_object(const S3Page::Object& object, RemoteEntry& entry) const {
  constexpr std::int64_t kMostSeconds = 9'000'000'000;  // year 2255: nanoseconds fit into 63 bits
  entry.size = object.size;
  const bool dated = object.mtime_s && *object.mtime_s < kMostSeconds;
  if (!dated) return;  // stat() will tell
  entry.mtime_ns = *object.mtime_s * 1'000'000'000;
  if (is_usable_etag(object.etag)) {
    entry.validator = fmt::format("e:{}-{}", object.size, object.etag);
  } else {
    entry.validator = mtime_validator(*object.mtime_s, object.size);
    entry.settled = now_s_ - *object.mtime_s >= kSettleSeconds;
  }
}

Status S3DirectoryBuilder::add(S3Page page) {
  const auto name_in = [&](std::string_view key) -> std::optional<std::string> {
    if (!key.starts_with(prefix_)) return std::nullopt;
    return std::string(key.substr(prefix_.size()));
  };
  const Error foreign{Code::corrupt, "the service lists keys that were not asked for"};
  for (const auto& object : page.objects) {
    RemoteEntry entry;
    auto name = name_in(object.key);
    if (!name) return foreign;
    exists_ = true;
    if (name->empty()) {  // the directory's own marker: bytes in it could be shown nowhere
      if (object.size > 0) ++refused_;
      continue;
    }
    entry.name = *std::move(name);
    add_object(object, entry);
    LAZYVOL_TRY(add_entry(std::move(entry)));
  }
  for (const auto& prefix : page.prefixes) {
    auto name = name_in(prefix);
    if (!name || !name->ends_with('/')) return foreign;
    exists_ = true;
    name->pop_back();
    RemoteEntry entry;
    entry.name = *std::move(name);
    entry.type = NodeType::directory;
    LAZYVOL_TRY(add_entry(std::move(entry)));
  }
  return {};
}

Listing S3DirectoryBuilder::finish() && {
  const auto rank = [](const RemoteEntry& entry) {
    return entry.type == NodeType::directory ? 0 : 1;
  };
  std::sort(entries_.begin(), entries_.end(), [&](const RemoteEntry& a, const RemoteEntry& b) {
    const int order = a.name.compare(b.name);
    return order != 0 ? order < 0 : rank(a) < rank(b);
  });
  const auto shadowed =
      std::unique(entries_.begin(), entries_.end(),
                  [](const RemoteEntry& a, const RemoteEntry& b) { return a.name == b.name; });
  Listing listing;
  listing.refused = refused_ + static_cast<std::uint64_t>(entries_.end() - shadowed);
  entries_.erase(shadowed, entries_.end());
  listing.entries = std::move(entries_);
  return listing;
}

}  // namespace lazyvol::source
