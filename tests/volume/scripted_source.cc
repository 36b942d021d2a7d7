#include "scripted_source.h"

#include <algorithm>

namespace lazyvol::testing {
namespace {

std::string parent_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

std::string name_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

class NoTransfer final : public Transfer {
  void resume() override {}
};

RemoteEntry describe(const std::string& path, const ScriptedSource::File& file, bool fully) {
  RemoteEntry entry;
  entry.name = name_of(path);
  entry.mode = file.mode;
  if (file.directory) {
    entry.type = NodeType::directory;
  } else if (!file.symlink_target.empty()) {
    entry.type = NodeType::symlink;
    entry.symlink_target = file.symlink_target;
  } else if (fully) {
    entry.size = file.bytes.size();
    entry.validator = file.validator;
    entry.settled = file.settled;
  }
  return entry;
}

}  // namespace

void ScriptedSource::put(const std::string& path, std::string bytes, std::string validator,
                         std::string token) {
  File file;
  file.bytes = std::move(bytes);
  file.validator = std::move(validator);
  file.token = std::move(token);
  state_.lock()->files[path] = std::move(file);
}

void ScriptedSource::put_directory(const std::string& path) {
  File file;
  file.directory = true;
  state_.lock()->files[path] = file;
}

void ScriptedSource::put_symlink(const std::string& path, std::string target) {
  File file;
  file.symlink_target = std::move(target);
  state_.lock()->files[path] = file;
}

void ScriptedSource::change(const std::string& path, const std::function<void(File&)>& how) {
  auto state = state_.lock();
  how(state->files.at(path));
}

void ScriptedSource::remove(const std::string& path) {
  std::erase_if(state_.lock()->files, [&](const auto& item) {
    return item.first == path || item.first.starts_with(path + "/");
  });
}

void ScriptedSource::put_dangling(const std::string& name) {
  state_.lock()->dangling.push_back(name);
}

void ScriptedSource::fail(Op op, const std::string& path, std::optional<Code> code) {
  auto state = state_.lock();
  state->failing.erase({op, path});
  if (code) state->failing.emplace(std::pair(op, path), *code);
}

void ScriptedSource::fail_all(std::optional<Code> code) {
  for (const Op op : {Op::list, Op::stat, Op::read}) fail(op, "*", code);
}

void ScriptedSource::hold() {
  state_.lock()->holding = true;
}

void ScriptedSource::release() {
  std::vector<std::function<void()>> held;
  {
    auto state = state_.lock();
    state->holding = false;
    held.swap(state->held);
  }
  for (const auto& again : held) again();
}

std::uint64_t ScriptedSource::count(Op op) const {
  auto state = state_.lock();
  std::uint64_t sum = 0;
  for (const auto& [key, n] : state->counts) sum += key.first == op ? n : 0;
  return sum;
}

std::uint64_t ScriptedSource::count(Op op, const std::string& path) const {
  auto state = state_.lock();
  const auto it = state->counts.find({op, path});
  return it == state->counts.end() ? 0 : it->second;
}

std::optional<Error> ScriptedSource::failure(Op op, const std::string& path) {
  auto state = state_.lock();
  for (const auto& at : {path, std::string("*")}) {
    const auto it = state->failing.find({op, at});
    if (it != state->failing.end()) return Error{it->second, "scripted failure"};
  }
  return std::nullopt;
}

bool ScriptedSource::held_back(std::function<void()> again) {
  auto state = state_.lock();
  if (!state->holding) return false;
  state->held.push_back(std::move(again));
  return true;
}

Result<Listing> ScriptedSource::listing(const std::string& path,
                                        const std::string& known_validator) {
  if (auto error = failure(Op::list, path)) return *error;
  auto state = state_.lock();
  const auto self = state->files.find(path);
  if (!path.empty() && self == state->files.end()) return Error{Code::not_found, path};
  if (!path.empty() && !self->second.directory) return Error{Code::not_directory, path};
  Listing out;
  out.hides_dot_names = state->hides_dot_names;
  std::size_t digest = 0;
  for (const auto& [at, file] : state->files) {
    if (at.empty() || parent_of(at) != path) continue;
    if (state->hides_dot_names && name_of(at).starts_with('.')) continue;
    auto row = describe(at, file, exact_);
    row.token = file.token;
    digest = digest * 31 + std::hash<std::string>()(at + file.validator + file.token);
    out.entries.push_back(std::move(row));
  }
  for (const auto& name : state->dangling) {
    if (!path.empty()) break;
    RemoteEntry row;
    row.name = name;
    out.entries.push_back(std::move(row));
  }
  if (state->conditional) out.validator = std::to_string(digest);
  if (state->conditional && out.validator == known_validator) {
    out.entries.clear();
    out.not_modified = true;
  }
  return out;
}

Result<RemoteEntry> ScriptedSource::description(const std::string& path) {
  if (auto error = failure(Op::stat, path)) return *error;
  auto state = state_.lock();
  if (path.empty()) {
    File root;
    root.directory = true;
    return describe("", root, true);
  }
  const auto it = state->files.find(path);
  if (it == state->files.end()) return Error{Code::not_found, path};
  return describe(path, it->second, true);
}

void ScriptedSource::list(std::string path, std::string known_validator, RequestContext ctx,
                          ListDone done) {
  {
    auto state = state_.lock();
    ++state->counts[{Op::list, path}];
    state->last_context = ctx;
  }
  auto answer = [this, path, known_validator, stop = ctx.stop, done] {
    if (stop.stop_requested()) return done(Error{Code::cancelled, "cancelled"});
    done(listing(path, known_validator));
  };
  if (!held_back(answer)) answer();
}

void ScriptedSource::stat(std::string path, RequestContext ctx, StatDone done) {
  {
    auto state = state_.lock();
    ++state->counts[{Op::stat, path}];
    state->last_context = ctx;
  }
  auto answer = [this, path, stop = ctx.stop, done] {
    if (stop.stop_requested()) return done(Error{Code::cancelled, "cancelled"});
    done(description(path));
  };
  if (!held_back(answer)) answer();
}

void ScriptedSource::deliver(const ReadRequest& request, const std::shared_ptr<ReadSink>& sink) {
  if (before_read) before_read();
  if (auto error = failure(Op::read, request.path)) return sink->on_done(*error);
  std::string bytes, validator;
  {
    auto state = state_.lock();
    const auto it = state->files.find(request.path);
    if (it == state->files.end()) return sink->on_done(Error{Code::not_found, request.path});
    bytes = it->second.bytes;
    validator = it->second.validator;
  }
  if (!request.validator.empty() && request.validator != validator) {
    return sink->on_done(Error{Code::stale, request.path});
  }
  const std::uint64_t length =
      request.offset >= bytes.size() ? 0 : std::min(request.length, bytes.size() - request.offset);
  if (sink->on_start({validator, request.offset, length, bytes.size()}) == Flow::abort) {
    return sink->on_done(Error{Code::cancelled, "refused"});
  }
  const auto part = std::span(bytes).subspan(static_cast<std::size_t>(request.offset),
                                             static_cast<std::size_t>(length));
  if (length > 0 && sink->on_data(std::as_bytes(part)) == Flow::abort) {
    return sink->on_done(Error{Code::cancelled, "refused"});
  }
  sink->on_done({});
}

std::shared_ptr<Transfer> ScriptedSource::read(ReadRequest request, std::shared_ptr<ReadSink> sink,
                                               RequestContext) {
  ++state_.lock()->counts[{Op::read, request.path}];
  reading_.submit([this, request, sink] { deliver(request, sink); });
  return std::make_shared<NoTransfer>();
}

}  // namespace lazyvol::testing
