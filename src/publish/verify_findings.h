// What a verification has found so far. A part of publish/verify.h.
//
// Thread rule: thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <utility>

#include "base/locked.h"
#include "catalog/digest.h"
#include "catalog/frame.h"
#include "catalog/head.h"
#include "publish/store.h"
#include "publish/verify.h"

namespace lazyvol::publish {

/// Whether `error` tells of the volume, not of the way to it or of the user's patience.
bool is_damage(const Error& error);

class Findings {
 public:
  using Number = std::size_t;
  /// Notes a damage, each text once, and answers with its number.
  Number add(const std::string& what);
  /// Notes that something is wrong with a pack; the first reason stands for all.
  Number suspect(const catalog::Digest& pack, const std::string& what);
  std::optional<Number> suspect_of(const catalog::Digest& pack) const;
  bool any_suspect() const;
  /// Notes what readers lose, each text once for each damage as long as few are known.
  void harm(Number damage, const std::string& what);
  /// True the first time that it is asked about this frame.
  bool first_time(const catalog::FrameRef& frame);
  void move_to(VerifyReport& report);

 private:
  struct State {
    std::vector<Damage> damage;
    std::uint64_t total = 0;
    std::map<std::string, Number> by_text;
    std::map<catalog::Digest, Number> by_pack;
    std::set<std::pair<catalog::Digest, std::uint32_t>> frames;
  };
  static Number add(State& state, const std::string& what);
  base::Locked<State> state_;
};

/// Finds the files of `head` that need something of the packs under suspicion, and notes them.
/// Errors: those of reading that are no damage; cancelled.
Status find_harmed_files(Store& store, const catalog::Head& head, unsigned threads,
                         Findings& findings, std::stop_token stop);

/// Finds the ids that cannot be looked up, in two trees that are whole and disagree.
Status find_lost_ids(Store& store, const catalog::Head& head, Findings& findings,
                     Findings::Number damage, std::stop_token stop);

}  // namespace lazyvol::publish
