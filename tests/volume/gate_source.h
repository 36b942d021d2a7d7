// A source in front of another one: counts, fails and holds back what goes through.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/locked.h"
#include "lazyvol/source.h"

namespace lazyvol::testing {

/// Thread-safe. Paths are told apart by how they begin.
class GateSource final : public Source {
 public:
  explicit GateSource(std::shared_ptr<Source> behind) : behind_(std::move(behind)) {}

  /// All that begins with `prefix` fails from now on; nullopt: no more.
  void fail(const std::string& prefix, std::optional<Code> code) {
    auto state = state_.lock();
    if (code) {
      state->failing[prefix] = *code;
    } else {
      state->failing.erase(prefix);
    }
  }
  /// Reads of what begins with `prefix` wait for release().
  void hold(const std::string& prefix) { state_.lock()->held_prefix = prefix; }
  void release() {
    std::vector<std::function<void()>> held;
    {
      auto state = state_.lock();
      state->held_prefix.reset();
      held.swap(state->held);
    }
    for (const auto& go : held) go();
  }
  std::size_t waiting() const { return state_.lock()->held.size(); }
  /// How often reads or stats of what begins with `prefix` were begun.
  std::size_t count(const std::string& prefix) const {
    const auto state = state_.lock();
    return static_cast<std::size_t>(
        std::count_if(state->asked.begin(), state->asked.end(),
                      [&](const auto& path) { return path.starts_with(prefix); }));
  }

  SourceTraits traits() const override { return {"gate", behind_->traits().display}; }
  void list(std::string path, std::string known, RequestContext ctx, ListDone done) override {
    if (const auto code = ask(path)) return done(Error{*code, path + ": planted"});
    behind_->list(std::move(path), std::move(known), std::move(ctx), std::move(done));
  }
  void stat(std::string path, RequestContext ctx, StatDone done) override {
    if (const auto code = ask(path)) return done(Error{*code, path + ": planted"});
    behind_->stat(std::move(path), std::move(ctx), std::move(done));
  }
  std::shared_ptr<Transfer> read(ReadRequest request, std::shared_ptr<ReadSink> sink,
                                 RequestContext ctx) override {
    if (const auto code = ask(request.path)) {
      sink->on_done(Error{*code, request.path + ": planted"});
      return std::make_shared<NoTransfer>();
    }
    {
      auto state = state_.lock();
      if (state->held_prefix && request.path.starts_with(*state->held_prefix)) {
        state->held.emplace_back(
            [behind = behind_, request, sink, ctx] { behind->read(request, sink, ctx); });
        return std::make_shared<NoTransfer>();
      }
    }
    return behind_->read(std::move(request), std::move(sink), std::move(ctx));
  }

 private:
  class NoTransfer final : public Transfer {
    void resume() override {}
  };
  struct State {
    std::map<std::string, Code> failing;
    std::vector<std::string> asked;
    std::optional<std::string> held_prefix;
    std::vector<std::function<void()>> held;
  };
  std::optional<Code> ask(const std::string& path) {
    auto state = state_.lock();
    state->asked.push_back(path);
    for (const auto& [prefix, code] : state->failing) {
      if (path.starts_with(prefix)) return code;
    }
    return std::nullopt;
  }

  const std::shared_ptr<Source> behind_;
  base::Locked<State> state_;
};

}  // namespace lazyvol::testing
