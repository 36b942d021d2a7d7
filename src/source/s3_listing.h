// Pages of ListObjectsV2 → a directory.
//
// Source of the format: "ListObjectsV2" of the Amazon S3 API Reference. Keys are raw bytes without
// structure; what a directory shows of them is in docs/sources/s3.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lazyvol/source.h"

namespace lazyvol::source {

/// One page, decoded.
struct S3Page {
  struct Object {
    std::string key, etag;  ///< the tag without quotes
    std::uint64_t size = 0;
    std::optional<std::int64_t> mtime_s;
  };
  std::vector<Object> objects;
  std::vector<std::string> prefixes;  ///< with their final '/'
  std::string next_token;             ///< empty on the last page
};

/// The longest page, in bytes: 1,000 keys of 1 KiB in their longest encoding.
inline constexpr std::uint64_t kMaxS3Page = 16ULL << 20;

/// Parses the document. Errors: corrupt (something else, cut short, a row without key or size, a
/// page that is truncated without saying where it goes on). Pure; the bytes are untrusted.
Result<S3Page> parse_s3_page(std::string_view document);

/// Gathers the pages of one directory. Not thread-safe.
class S3DirectoryBuilder {
 public:
  /// `prefix`: of the directory's keys; "" or ends in '/'. `now_s`: by which entries settle that
  /// have no ETag.
  S3DirectoryBuilder(std::string prefix, std::int64_t now_s);

  /// False past kMaxIndexEntries, or for a key outside of the prefix.
  Status add(S3Page page);
  /// True when any key lies below the prefix, or is the prefix (a directory marker).
  bool exists() const { return exists_; }
  std::size_t size() const { return entries_.size(); }
  /// Sorted, each name once. Of a file and a directory of one name the directory stays and the file
  /// counts as refused; so does a key that ends in '/' and has bytes, and one that gives no
  /// valid_name().
  Listing finish() &&;

 private:
  Status add_entry(RemoteEntry entry);
  void add_object(const S3Page::Object& object, RemoteEntry& entry) const;

  const std::string prefix_;
  const std::int64_t now_s_;
  std::vector<RemoteEntry> entries_;
  std::uint64_t refused_ = 0;
  bool exists_ = false;
};

}  // namespace lazyvol::source
