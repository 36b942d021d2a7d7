#include "git/upload_pack.h"

#include <algorithm>
#include <utility>

#include "git/git_error.h"

namespace lazyvol::git {

Result<std::unique_ptr<UploadPack>> UploadPack::connect(Access& access,
                                                        const std::filesystem::path& git_dir,
                                                        const std::string& url,
                                                        const Patience& patience) {
  LAZYVOL_TRY_ASSIGN(const auto command, access.upload_pack(git_dir, url));
  LAZYVOL_TRY_ASSIGN(auto process, Process::start(command.command, patience));
  auto made =
      std::unique_ptr<UploadPack>(new UploadPack(std::move(process), command.needs_connect));
  if (auto status = made->begin(command.needs_connect); !status.ok()) {
    return made->failed(std::move(status).error());
  }
  return made;
}

// What git says when it ends tells more than that it ended.
Error UploadPack::failed(Error error) {
  if (error.code == Code::cancelled || error.code == Code::timed_out) return error;
  process_->set_patience({std::chrono::seconds(1), {}, {}});
  const auto status = process_->finish();
  if (status.ok() && *status != 0 && !process_->errors().empty()) {
    return git_error("git upload-pack", process_->errors());
  }
  return error;
}

Status UploadPack::begin(bool needs_connect) {
  if (needs_connect) {
    process_->send("stateless-connect git-upload-pack\n");
    constexpr std::size_t kLongest = 4096;
    LAZYVOL_TRY_ASSIGN(const std::string answer, process_->receive_line('\n', kLongest));
    if (answer == "fallback") return {};  // no version 2
    if (!answer.empty()) return Error{Code::corrupt, "git's remote helper does not connect"};
  }
  for (;;) {
    LAZYVOL_TRY_ASSIGN(const Pkt pkt, receive());
    if (pkt.kind != PktKind::data) return {};
    // A server of an older protocol lists its refs instead.
    add_capability(capabilities_, pkt.text);
    if (!capabilities_.version2) return {};
  }
}

Result<Pkt> UploadPack::receive() {
  LAZYVOL_TRY_ASSIGN(std::string line, process_->receive_exactly(kPktHeader));
  LAZYVOL_TRY_ASSIGN(const std::size_t length, parse_pkt_length(line));
  if (length > kPktHeader) {
    LAZYVOL_TRY_ASSIGN(const std::string rest, process_->receive_exactly(length - kPktHeader));
    line += rest;
  }
  std::string_view bytes = line;
  return take_pkt(bytes);
}

Result<Sizes> UploadPack::sizes(std::span<const std::string> ids) {
  if (!capabilities_.object_info) {
    return Error{Code::unsupported, "the git server does not tell the sizes of objects"};
  }
  Sizes sizes;
  while (!ids.empty()) {
    const auto batch = ids.first(std::min(ids.size(), kObjectInfoBatch));
    ids = ids.subspan(batch.size());
    process_->send(object_info_request(batch, capabilities_.object_format));
    for (PktKind kind = PktKind::data; kind == PktKind::data;) {
      Result<Pkt> pkt = receive();
      Status status = pkt.ok() ? Status() : Status(pkt.error());
      if (status.ok() && pkt->kind == PktKind::data) status = add_object_info(sizes, pkt->text);
      if (!status.ok()) return failed(std::move(status).error());
      kind = pkt->kind;
    }
    if (!stateless_) continue;
    const Result<Pkt> end = receive();
    if (!end.ok()) return failed(end.error());
    if (end->kind != PktKind::response_end) {
      return Error{Code::corrupt, "the git server sent more than an answer"};
    }
  }
  return sizes;
}

}  // namespace lazyvol::git
