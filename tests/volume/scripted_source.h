// An origin in memory whose answers can be shaped, held back and made to fail.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/locked.h"
#include "base/workers.h"
#include "lazyvol/source.h"

namespace lazyvol::testing {

/// Thread-safe. Answers inline, unless held.
class ScriptedSource final : public Source {
 public:
  struct File {
    std::string bytes;
    std::string validator = "v1";
    bool settled = true;
    bool directory = false;
    std::string symlink_target;
    std::string token;  ///< of its row
    std::optional<std::uint32_t> mode;
  };
  enum class Op { list, stat, read };

  /// Rows of listings carry size and validator (exact), or only names and tokens.
  explicit ScriptedSource(bool exact_listings) : exact_(exact_listings) {}

  void put(const std::string& path, std::string bytes, std::string validator,
           std::string token = "");
  void put_directory(const std::string& path);
  void put_symlink(const std::string& path, std::string target);
  void change(const std::string& path, const std::function<void(File&)>& how);
  void remove(const std::string& path);
  /// Shown in listings, but not found when asked for.
  void put_dangling(const std::string& name);

  /// Fails all `op` on `path` ("*": on every path) until cleared with nullopt.
  void fail(Op op, const std::string& path, std::optional<Code> code);
  void fail_all(std::optional<Code> code);
  /// While held, list and stat wait for release().
  void hold();
  void release();
  /// Called on the reading thread before each read is answered. Set before use.
  std::function<void()> before_read;
  /// Listings carry a validator and answer not_modified for it.
  void set_conditional(bool conditional) { state_.lock()->conditional = conditional; }

  /// Listings leave out names that begin with '.'.
  void set_hides_dot_names() { state_.lock()->hides_dot_names = true; }

  std::uint64_t count(Op op) const;
  std::uint64_t count(Op op, const std::string& path) const;
  std::size_t waiting() const { return state_.lock()->held.size(); }
  RequestContext last_context() const { return state_.lock()->last_context; }

  SourceTraits traits() const override { return {"scripted", "scripted://origin"}; }
  void list(std::string path, std::string known_validator, RequestContext ctx,
            ListDone done) override;
  void stat(std::string path, RequestContext ctx, StatDone done) override;
  std::shared_ptr<Transfer> read(ReadRequest request, std::shared_ptr<ReadSink> sink,
                                 RequestContext ctx) override;

 private:
  struct State {
    std::map<std::string, File> files;
    std::vector<std::string> dangling;
    std::map<std::pair<Op, std::string>, Code> failing;
    std::map<std::pair<Op, std::string>, std::uint64_t> counts;
    std::vector<std::function<void()>> held;
    bool holding = false;
    bool conditional = false;
    bool hides_dot_names = false;
    RequestContext last_context;
  };
  std::optional<Error> failure(Op op, const std::string& path);
  bool held_back(std::function<void()> again);
  Result<Listing> listing(const std::string& path, const std::string& known_validator);
  Result<RemoteEntry> description(const std::string& path);
  void deliver(const ReadRequest& request, const std::shared_ptr<ReadSink>& sink);

  const bool exact_;
  base::Locked<State> state_;
  base::Workers reading_{"lv-script", 1};
};

}  // namespace lazyvol::testing
