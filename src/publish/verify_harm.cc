#include <memory>
#include <utility>

#include "catalog/catalog_read.h"
#include "catalog/ids_page.h"
#include "catalog/key.h"
#include "publish/catalog_walk.h"
#include "publish/content_frames.h"
#include "publish/entry_paths.h"
#include "publish/verify_findings.h"
#include "publish/volume_reader.h"

namespace lazyvol::publish {

using catalog::Entry;
using catalog::FrameRef;

bool is_damage(const Error& error) {
  switch (error.code) {
    case Code::corrupt:
    case Code::not_found:
    case Code::unsupported:
    case Code::stale:
    case Code::io_error:
    case Code::too_large:
    case Code::invalid_argument:
    case Code::is_directory:
    case Code::not_directory:
      return true;
    case Code::access_denied:
    case Code::timed_out:
    case Code::unreachable:
    case Code::throttled:
    case Code::cancelled:
    case Code::no_space:
    case Code::already_exists:
    case Code::busy:
    case Code::name_too_long:
    case Code::read_only:
    case Code::out_of_memory:
      return false;
  }
  return false;
}

Findings::Number Findings::add(State& state, const std::string& what) {
  if (const auto known = state.by_text.find(what); known != state.by_text.end()) {
    return known->second;
  }
  ++state.total;
  // Past the limit all share the last number: counted, but not told.
  if (state.damage.size() < kMaxDamage) {
    state.damage.push_back({what, {}, 0});
    state.by_text.emplace(what, state.damage.size() - 1);
  }
  return state.damage.size() - 1;
}

Findings::Number Findings::add(const std::string& what) {
  return add(*state_.lock(), what);
}

Findings::Number Findings::suspect(const catalog::Digest& pack, const std::string& what) {
  const auto state = state_.lock();
  const auto known = state->by_pack.find(pack);
  if (known != state->by_pack.end()) return known->second;
  const Number number = add(*state, what);
  state->by_pack.emplace(pack, number);
  return number;
}

std::optional<Findings::Number> Findings::suspect_of(const catalog::Digest& pack) const {
  const auto state = state_.lock();
  const auto known = state->by_pack.find(pack);
  return known == state->by_pack.end() ? std::nullopt : std::optional(known->second);
}

bool Findings::any_suspect() const {
  return !state_.lock()->by_pack.empty();
}

void Findings::harm(Number number, const std::string& what) {
  const auto state = state_.lock();
  Damage& damage = state->damage[number];
  for (const std::string& known : damage.harmed) {
    if (known == what) return;
  }
  ++damage.harmed_total;
  if (damage.harmed.size() < kMaxHarmed) damage.harmed.push_back(what);
}

bool Findings::first_time(const FrameRef& frame) {
  return state_.lock()->frames.emplace(frame.pack, frame.offset).second;
}

void Findings::move_to(VerifyReport& report) {
  const auto state = state_.lock();
  report.damage = std::move(state->damage);
  report.damage_total = state->total;
}

namespace {

/// Asks of each file whether one of the frames it needs is broken.
class HarmVisitor final : public CatalogVisitor {
 public:
  HarmVisitor(Store& store, const catalog::Head& head, Findings& findings)
      : store_(store),
        findings_(findings),
        pages_(store),
        paths_(std::in_place, pages_, head.roots) {}

  Status page(const FrameRef&) override { return {}; }
  Status ids(const std::vector<catalog::IdRun>&) override { return {}; }
  Status damaged(const WalkedPage&, const Error& error) override {
    return is_damage(error) ? Status() : error;  // the first walk told of it
  }
  Status names(const std::vector<Entry>& entries) override {
    for (const Entry& entry : entries) {
      std::optional<Findings::Number> harm;
      LAZYVOL_TRY(visit_content(store_, entry, visit(harm)));
      if (harm) findings_.harm(*harm, paths_.lock()->shown(entry.directory, entry.name));
    }
    return {};
  }

 private:
  ContentVisit visit(std::optional<Findings::Number>& harm) {
    const auto look = [this, &harm](const FrameRef& frame) -> Status {
      if (harm) return {};
      const auto suspect = findings_.suspect_of(frame.pack);
      if (!suspect) return {};
      LAZYVOL_TRY_ASSIGN(const bool broken, is_broken(frame));
      if (broken) harm = suspect;
      return {};
    };
    return {.data = look,
            .map = [&harm](const FrameRef&) -> Result<bool> { return !harm.has_value(); },
            .damaged_map = [this, &harm](const FrameRef& frame, const Error& error) -> Status {
              if (!is_damage(error)) return error;
              if (!harm) harm = findings_.suspect(frame.pack, error.message);
              return {};
            }};
  }
  Result<bool> is_broken(const FrameRef& frame) {
    const auto key = std::pair(frame.pack, std::pair(frame.offset, frame.hash));
    {
      const auto known = broken_.lock();
      if (const auto found = known->find(key); found != known->end()) return found->second;
    }
    const auto raw = read_frame(store_, frame);
    if (!raw.ok() && !is_damage(raw.error())) return raw.error();
    const auto known = broken_.lock();
    if (known->size() == kMaxAnswers) known->clear();
    known->emplace(key, !raw.ok());
    return !raw.ok();
  }

  static constexpr std::size_t kMaxAnswers = 200'000;
  using Key = std::pair<catalog::Digest, std::pair<std::uint32_t, catalog::Digest>>;

  Store& store_;
  Findings& findings_;
  StorePages pages_;
  base::Locked<EntryPaths> paths_;
  base::Locked<std::map<Key, bool>> broken_;
};

}  // namespace

Status find_harmed_files(Store& store, const catalog::Head& head, unsigned threads,
                         Findings& findings, std::stop_token stop) {
  HarmVisitor visitor(store, head, findings);
  CatalogWalk walk(store, visitor, {threads, false}, std::move(stop));
  LAZYVOL_TRY_ASSIGN(const auto walked, walk.walk(catalog::Tree::names, head.roots.names));
  (void)walked;
  return {};
}

Status find_lost_ids(Store& store, const catalog::Head& head, Findings& findings,
                     Findings::Number damage, std::stop_token stop) {
  StorePages pages(store);
  EntryPaths paths(pages, head.roots);
  const auto ids = std::make_shared<const std::string>(head.roots.ids);
  const auto names = std::make_shared<const std::string>(head.roots.names);
  const auto look = [&](const Entry& entry) -> Status {
    if (stop.stop_requested()) return Error{Code::cancelled, "stopped"};
    if (entry.alias) return {};
    const auto found = catalog::find_entry(pages, names, ids, entry.id);
    if (found.ok() && *found && (*found)->name == entry.name &&
        (*found)->directory == entry.directory) {
      return {};
    }
    if (!found.ok() && !is_damage(found.error())) return found.error();
    findings.harm(damage, paths.shown(entry.directory, entry.name) + " (by its number " +
                              std::to_string(entry.id) + ")");
    return {};
  };
  return catalog::for_each_entry(pages, names, look);
}

}  // namespace lazyvol::publish
