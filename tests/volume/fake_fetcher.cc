#include <cstring>
#include <map>
#include "base/locked.h"
#include "catalog/pack.h"
#include "fetch/published_fetcher.h"
#include "source/read_object.h"
namespace lazyvol::fetch {
namespace {
class Fake final : public FrameStore, public std::enable_shared_from_this<Fake> {
 public:
  std::vector<std::shared_ptr<Source>> origins;
  base::TimerQueue* timer;
  FetchOptions options;
  base::Locked<std::map<catalog::Digest, FrameBytes>> have;
  base::Locked<FrameStats> st;
  std::stop_source stop_;
  void from(std::size_t i, catalog::FrameRef f, RequestContext ctx, Done done,
            std::optional<Error> first) {
    if (i == origins.size()) return done(*first);
    source::ReadObject w;
    w.path = catalog::pack_path(f.pack);
    w.offset = f.offset;
    w.limit = f.stored;
    w.cut = true;
    ctx.stop = stop_.get_token();
    source::read_object(
        origins[i], *timer, w, ctx,
        [self = shared_from_this(), i, f, ctx, done, first](Result<source::Object> o) mutable {
          if (o.ok()) {
            auto d = catalog::decode_frame(f, o->bytes);
            if (d.ok()) {
              auto p = std::make_shared<const std::string>(*std::move(d));
              (*self->have.lock())[f.hash] = p;
              ++self->st.lock()->frames;
              return done(p);
            }
            ++self->st.lock()->corrupt;
            o = d.error();
          } else if (o.error().code == Code::not_found) {
            ++self->st.lock()->missing_packs;
            o = Error{Code::io_error, o.error().message};
          }
          if (!first) first = o.error();
          self->from(i + 1, f, ctx, done, first);
        });
  }
  void get(const catalog::FrameRef& f, FrameUse u, RequestContext ctx, Done done) override {
    if (stop_.stop_requested()) return done(Error{Code::cancelled, "stopped"});
    if (auto p = at_hand(f, u)) return done(p);
    from(0, f, ctx, done, {});
  }
  FrameBytes at_hand(const catalog::FrameRef& f, FrameUse) override {
    auto h = have.lock();
    auto it = h->find(f.hash);
    return it == h->end() ? nullptr : it->second;
  }
  void want(std::vector<catalog::FrameRef> fs, FrameUse u, RequestContext ctx,
            std::function<void(Status)> done) override {
    struct S {
      std::atomic<std::size_t> n;
      std::atomic<bool> bad{false};
      base::Locked<Status> s;
    };
    auto s = std::make_shared<S>();
    s->n = fs.size() + 1;
    auto fin = [s, done] {
      if (--s->n == 0 && done) done(*s->s.lock());
    };
    for (auto& f : fs)
      get(f, u, ctx, [s, fin](Result<FrameBytes> r) {
        if (!r.ok()) *s->s.lock() = r.error();
        fin();
      });
    fin();
  }
  bool has(const catalog::FrameRef& f, FrameUse) const override { return have.lock()->contains(f.hash); }
  void used_up(const catalog::FrameRef&, FrameUse) override {}
  std::uint64_t allowance() const override { return 0; }
  std::uint64_t evict(const catalog::FrameRef& f, FrameUse) override {
    return have.lock()->erase(f.hash) ? f.raw : 0;
  }
  FrameStats stats() const override { return *st.lock(); }
  void stop() override { stop_.request_stop(); }
};
class FakeContent final : public Content {
 public:
  std::shared_ptr<Fake> frames;
  catalog::Entry e;
  ContentRef r;
  std::shared_ptr<cache::CachedContent> c;
  const ContentRef& ref() const override { return r; }
  void next(std::size_t i, std::string all, std::uint64_t off, std::span<std::byte> out,
            RequestContext ctx, ReadDone done) {
    auto* p = std::get_if<catalog::PieceContent>(&e.content);
    if (!p || i == p->pieces.size()) {
      if (auto* in = std::get_if<catalog::InlineContent>(&e.content)) all = in->bytes;
      off = std::min<std::uint64_t>(off, all.size());
      auto n = std::min<std::size_t>(out.size(), all.size() - off);
      std::memcpy(out.data(), all.data() + off, n);
      return done(n);
    }
    auto piece = p->pieces[i];
    frames->get(piece.frame, FrameUse::bundle, ctx,
                [=, this, all = std::move(all)](Result<FrameBytes> b) mutable {
                  if (!b.ok()) return done(b.error());
                  all += (*b)->substr(piece.offset, piece.length);
                  next(i + 1, std::move(all), off, out, ctx, done);
                });
  }
  void read(std::uint64_t off, std::span<std::byte> out, RequestContext ctx,
            ReadDone done) override {
    next(0, {}, off, out, ctx, done);
  }
  void want(std::uint64_t, std::uint64_t, RequestContext, std::function<void(Status)> d) override {
    if (d) d({});
  }
  bool stale() const override { return false; }
  bool has(std::uint64_t, std::uint64_t) const override { return true; }
  std::uint64_t readahead_allowance() const override { return 0; }
};
class FakeFetcher final : public PublishedFetcher {
 public:
  std::shared_ptr<Fake> f = std::make_shared<Fake>();
  FetchEnvironment env;
  FetchOptions o;
  FakeFetcher(FetchEnvironment e) : env(e) {}
  FrameStore& frames() override { return *f; }
  std::shared_ptr<Content> open(const catalog::Entry& file) override {
    auto c = std::make_shared<FakeContent>();
    c->frames = f;
    c->e = file;
    c->r.size = file.size;
    c->r.key = catalog::content_key(file);
    c->c = env.cache->content(c->r.key, file.size);
    return c;
  }
  void hydrate(const catalog::Entry& file, RequestContext ctx,
               std::function<void(Status)> done) override {
    std::vector<catalog::FrameRef> w;
    if (auto* p = std::get_if<catalog::PieceContent>(&file.content))
      for (auto& x : p->pieces) w.push_back(x.frame);
    f->want(w, FrameUse::bundle, ctx, done);
  }
  std::uint64_t evict(const catalog::Entry& file) override {
    std::uint64_t n = 0;
    if (auto* p = std::get_if<catalog::PieceContent>(&file.content))
      for (auto& x : p->pieces) n += f->evict(x.frame, FrameUse::bundle);
    return n;
  }
  const FetchOptions& options() const override { return o; }
  FetchStats stats() const override { return {}; }
  FrameStats frame_stats() const override { return f->stats(); }
  void stop() override { f->stop(); }
};
}  // namespace
std::shared_ptr<PublishedFetcher> PublishedFetcher::make(
    std::vector<std::shared_ptr<Source>> origins, FetchEnvironment env, FetchOptions o) {
  auto x = std::make_shared<FakeFetcher>(env);
  x->o = o;
  x->f->origins = origins;
  x->f->timer = &env.timer;
  x->f->options = o;
  return x;
}
}  // namespace lazyvol::fetch
