#include "fetch/frame_source.h"

#include <utility>

#include "fetch/frame_read.h"

namespace lazyvol::fetch {

std::shared_ptr<const FrameSource::File> FrameSource::attach(const std::string& validator,
                                                             const catalog::Entry& entry) {
  auto files = files_.lock();
  std::weak_ptr<const File>& place = (*files)[validator];
  if (auto file = place.lock()) return file;
  const auto forget = [weak = weak_from_this(), validator](const File* file) {
    delete file;
    if (const auto self = weak.lock()) self->detached(validator);
  };
  std::shared_ptr<const File> file(new File{entry.content, entry.size}, forget);
  place = file;
  return file;
}

void FrameSource::detached(const std::string& validator) {
  auto files = files_.lock();
  const auto place = files->find(validator);
  // Another one may have been attached since.
  if (place != files->end() && place->second.expired()) files->erase(place);
}

void FrameSource::list(std::string, std::string, RequestContext, ListDone done) {
  done(Error{Code::unsupported, "names of a published volume are in its catalog"});
}

void FrameSource::stat(std::string, RequestContext, StatDone done) {
  done(Error{Code::unsupported, "attributes of a published volume are in its catalog"});
}

std::shared_ptr<Transfer> FrameSource::read(ReadRequest request, std::shared_ptr<ReadSink> sink,
                                            RequestContext ctx) {
  std::shared_ptr<const File> file;
  {
    auto files = files_.lock();
    const auto place = files->find(request.validator);
    if (place != files->end()) file = place->second.lock();
  }
  if (!file || request.length == 0) {
    sink->on_done(Error{Code::invalid_argument, "a read of nothing that is open"});
    return nullptr;
  }
  auto read = std::make_shared<FrameRead>(store_, std::move(file), std::move(request),
                                          std::move(sink), std::move(ctx));
  read->start();
  return read;
}

}  // namespace lazyvol::fetch
