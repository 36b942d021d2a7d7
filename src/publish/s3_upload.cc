#include "publish/s3_upload.h"

#include <fmt/core.h>

#include <condition_variable>
#include <optional>
#include <utility>

#include "base/locked.h"
#include "net/sigv4.h"
#include "net/xml_reader.h"
#include "source/paths.h"
#include "source/s3_error.h"

namespace lazyvol::publish {
namespace {

using Method = net::HttpRequest::Method;

constexpr std::uint64_t kMaxAnswer = 64 * 1024;

// What the service calls one upload, from its beginning to its end.
class Upload {
 public:
  Upload(const S3Objects& objects, const std::string& key) : objects_(objects), key_(key) {}

  Status begin(std::string_view cache) {
    auto request = objects_.requests().request(Method::post,
                                               objects_.site().object_url(key_, {{"uploads", ""}}));
    request.headers.emplace_back("Cache-Control", cache);
    LAZYVOL_TRY_ASSIGN(const net::HttpBody answer, objects_.requests().send(request, kMaxAnswer));
    const auto texts = net::xml_texts(answer.bytes);
    if (texts.ok() && texts->contains("UploadId")) id_ = texts->at("UploadId");
    if (id_.empty()) {
      return Error{Code::corrupt,
                   objects_.site().address().display() + ": the answer to an upload names none"};
    }
    return {};
  }

  /// Gives the part's tag.
  Result<std::string> put(std::size_t number, std::shared_ptr<const net::Payload> payload) const {
    auto request = objects_.requests().request(
        Method::put, url({{"partNumber", std::to_string(number)}, {"uploadId", id_}}));
    request.payload = std::move(payload);
    LAZYVOL_TRY_ASSIGN(const net::HttpBody answer, objects_.requests().send(request, kMaxAnswer));
    const std::string* etag = answer.head.headers.find("etag");
    if (etag == nullptr) {
      return Error{Code::corrupt,
                   objects_.site().address().display() + ": a part was taken without a tag"};
    }
    return *etag;
  }

  Status complete(const std::vector<std::string>& etags, std::uint64_t size) const {
    auto request = objects_.requests().request(Method::post, url({{"uploadId", id_}}));
    request.body = "<CompleteMultipartUpload>";
    for (std::size_t i = 0; i < etags.size(); ++i) {
      request.body +=
          fmt::format("<Part><PartNumber>{}</PartNumber><ETag>{}</ETag></Part>", i + 1, etags[i]);
    }
    request.body += "</CompleteMultipartUpload>";
    for (Patience patience = objects_.requests().patience();;) {
      auto answer = objects_.requests().send_once(request, kMaxAnswer);
      Status status;
      if (answer.ok()) {
        status =
            source::read_s3_late_refusal(answer->bytes, "completing " + source::printable(key_));
      } else {
        status = std::move(answer).error();
      }
      if (status.ok()) return {};
      // The answer to an attempt before this one may have been lost.
      if (status.error().code == Code::not_found) {
        const auto present = objects_.head(key_);
        if (present.ok() && *present && (*present)->size == size) return {};
      }
      const auto delay = patience.after(status.error());
      if (!delay) return status;
      if (!objects_.requests().pause(*delay)) return Error{Code::cancelled, "stopped"};
    }
  }

  /// Also when everything else was stopped: parts that stay cost money. What fails is left to
  /// whoever opens the store the next day.
  void abort() const {
    const S3Requests requests = objects_.requests().unstoppable();
    static_cast<void>(
        requests.send(requests.request(Method::del, url({{"uploadId", id_}})), kMaxAnswer));
  }

 private:
  std::string url(const net::Query& query) const { return objects_.site().object_url(key_, query); }

  const S3Objects& objects_;
  const std::string key_;
  std::string id_;
};

// The parts of one upload on their way. Shared with the tasks: the last of them may still be
// leaving when its caller goes on.
struct Sending {
  struct State {
    std::vector<std::string> etags;
    std::size_t left = 0;
    std::optional<Error> failure;
  };
  base::Locked<State> state;
  std::condition_variable done;
};

Result<std::vector<std::string>> send_parts(const Upload& upload, base::Workers& workers,
                                            const Parts& parts) {
  const auto sending = std::make_shared<Sending>();
  {
    const auto state = sending->state.lock();
    state->etags.resize(parts.size());
    state->left = parts.size();
  }
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto send = [sending, &upload, part = parts[i], i] {
      Result<std::string> etag = Error{Code::cancelled, "another part failed"};
      if (!sending->state.lock()->failure) etag = upload.put(i + 1, hashed(part));
      const auto state = sending->state.lock();
      if (etag.ok()) {
        state->etags[i] = *std::move(etag);
      } else if (!state->failure) {
        state->failure = std::move(etag).error();
      }
      if (--state->left == 0) sending->done.notify_one();
    };
    if (!workers.submit(send)) send();
  }
  auto state = sending->state.lock();
  sending->done.wait(state.native(), [&] { return state->left == 0; });
  if (state->failure) return *state->failure;
  return std::move(state->etags);
}

}  // namespace

std::shared_ptr<const net::Payload> hashed(const std::shared_ptr<net::Payload>& part) {
  part->sha256 = net::sha256_hex(part->bytes);
  return part;
}

Status upload_in_parts(const S3Objects& objects, base::Workers& workers, const std::string& key,
                       const Parts& parts, std::string_view cache) {
  Upload upload(objects, key);
  LAZYVOL_TRY(upload.begin(cache));
  std::uint64_t size = 0;
  for (const auto& part : parts) size += part->bytes.size();
  auto etags = send_parts(upload, workers, parts);
  Status status;
  if (etags.ok()) {
    status = upload.complete(*etags, size);
  } else {
    status = std::move(etags).error();
  }
  if (!status.ok()) upload.abort();
  return status;
}

}  // namespace lazyvol::publish
