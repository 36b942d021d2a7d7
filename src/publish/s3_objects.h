// What can be done with the objects of one bucket.
//
// Source of the rules: the Amazon S3 API Reference, and "Prevent object overwrites with conditional
// writes" of the User Guide. Thread-safe; calls block.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lazyvol/error.h"
#include "publish/s3_requests.h"

namespace lazyvol::publish {

/// An object as an answer's fields describe it.
struct S3Object {
  std::uint64_t size = 0;    ///< of the body that came, or of the object after head()
  std::int64_t mtime_s = 0;  ///< Unix seconds, by the service's clock
  std::int64_t now_s = 0;    ///< what that clock said when it answered
  std::string etag;          ///< as it came, with quotes
  std::string writer;        ///< the mark of put_if(); empty for others
};

struct S3Content {
  S3Object object;
  std::string bytes;
};

/// What has to hold for a document to be written: that there is none, or that it has this tag.
struct S3Condition {
  std::string etag;  ///< empty: there is none
};

struct S3Listed {
  std::string key;
  std::uint64_t size = 0;
  std::int64_t mtime_s = 0;
};

/// Refused requests give what source/s3_error.h says. Keys are raw.
class S3Objects {
 public:
  explicit S3Objects(S3Requests requests) : requests_(std::move(requests)) {}

  const S3Requests& requests() const { return requests_; }
  source::S3Site& site() const { return requests_.site(); }

  /// nullopt: proved not to be there.
  Result<std::optional<S3Object>> head(const std::string& key) const;
  /// Bytes `offset` … , at most `limit` (not 0); none past the end.
  Result<S3Content> get(const std::string& key, std::uint64_t offset, std::uint64_t limit) const;
  /// Writes the object whole, in place of what is there. `cache` is its Cache-Control.
  Status put(const std::string& key, std::shared_ptr<const net::Payload> payload,
             std::string_view cache) const;
  /// Writes it if `condition` holds at that moment; gives its new tag. Exact also when an answer
  /// is lost: each write is marked, so that a writer knows its own. Errors: busy (it does not
  /// hold: nothing was written).
  Result<std::string> put_if(const std::string& key, std::string_view text, std::string_view cache,
                             const S3Condition& condition) const;
  /// Gives the object the time of now, by copying it onto itself. Errors: not_found.
  Status touch(const std::string& key, std::string_view cache) const;
  /// Not being there is success. Sent again when an answer is lost: whoever cannot bear that an
  /// object which came meanwhile goes, too, sends remove_once().
  Status remove(const std::string& key) const;
  Status remove_once(const std::string& key) const;
  /// All keys that begin with `prefix`, as the service sorts them, at most `limit` (0: all).
  Result<std::vector<S3Listed>> list(const std::string& prefix, std::size_t limit = 0) const;

 private:
  net::HttpRequest remove_request(const std::string& key) const;

  const S3Requests requests_;
};

}  // namespace lazyvol::publish
