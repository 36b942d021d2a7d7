#include "volume/published_heads.h"

#include <utility>

#include "source/read_object.h"

namespace lazyvol::volume {

PublishedHeads::PublishedHeads(std::vector<std::shared_ptr<Source>> origins,
                               std::shared_ptr<const PublishedTrust> trust, base::TimerQueue& timer)
    : origins_(std::move(origins)), trust_(std::move(trust)), timer_(timer) {
  validators_.lock()->resize(origins_.size());
}

void PublishedHeads::look(const RequestContext& ctx, Done done) {
  auto look = std::make_shared<Look>();
  look->ctx = ctx;
  look->done = std::move(done);
  ask(look);
}

void PublishedHeads::used(std::size_t origin, const std::string& validator) {
  auto validators = validators_.lock();
  for (std::string& other : *validators) other.clear();
  (*validators)[origin] = validator;
}

void PublishedHeads::ask(const std::shared_ptr<Look>& look) {
  const std::string known = (*validators_.lock())[look->origin];
  if (known.empty()) return read(look);
  origins_[look->origin]->stat(
      head_path(trust_->revision()), look->ctx,
      [self = shared_from_this(), look, known](const Result<RemoteEntry>& entry) {
        if (!entry.ok()) return self->next(look, entry.error());
        // Two heads in one tick of the clock may look alike: what is not settled is read.
        if (entry->validator == known && entry->settled) return look->done(Found());
        self->read(look);
      });
}

void PublishedHeads::read(const std::shared_ptr<Look>& look) {
  source::ReadObject what;
  what.path = head_path(trust_->revision());
  what.limit = catalog::kMaxHeadBytes;
  source::read_object(
      origins_[look->origin], timer_, std::move(what), look->ctx,
      [self = shared_from_this(), look](Result<source::Object> object) {
        if (!object.ok()) return self->next(look, object.error());
        auto head = parse_read_head(std::move(object->bytes));
        if (!head.ok()) return self->next(look, head.error());
        if (auto status = self->trust_->check(head->document); !status.ok()) {
          return self->next(look, status.error());
        }
        look->done(Found(Seen{*std::move(head), look->origin, std::move(object->validator)}));
      });
}

void PublishedHeads::next(const std::shared_ptr<Look>& look, const Error& error) {
  if (!look->first_error) {
    look->first_error = error.in(origins_[look->origin]->traits().display);
  }
  if (++look->origin == origins_.size() || error.code == Code::cancelled) {
    return look->done(*look->first_error);
  }
  ask(look);
}

}  // namespace lazyvol::volume
