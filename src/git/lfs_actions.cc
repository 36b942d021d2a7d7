#include "git/lfs_actions.h"

#include <strings.h>

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "base/workers.h"
#include "git/credential_helper.h"
#include "git/git_error.h"
#include "net/http_url.h"
#include "net/redact.h"
#include "net/retry.h"

namespace lazyvol::git {
namespace {

using std::chrono::seconds;
using std::chrono::steady_clock;

// What says nothing of its end is asked for again after that; a refusal ends it before.
constexpr seconds kUnlimited(3600);
// What ends within that is not begun any more: the request takes time, and clocks differ.
constexpr seconds kMargin(5);

std::int64_t wall_s() {
  return base::system_clock().wall_ns() / 1'000'000'000;
}

steady_clock::time_point end_of(const LfsAction& action, steady_clock::time_point asked) {
  if (!action.valid_s) return asked + kUnlimited;
  return asked + seconds(*action.valid_s) - kMargin;
}

Error explain(const net::HttpHead& head, std::string_view page, const std::string& url) {
  const std::string message = lfs_message(page);
  Error error = net::http_status_error(head, "LFS API, POST " + net::redact_url(url));
  if (!message.empty()) error.message += ": " + message;
  if (!is_transient(error.code) && error.code != Code::access_denied) {
    return hopeless(std::move(error.message));
  }
  return error;
}

bool names_authorization(const LfsAction& action) {
  return std::any_of(action.headers.begin(), action.headers.end(), [](const auto& field) {
    return ::strcasecmp(field.first.c_str(), "authorization") == 0;
  });
}

bool have_one_origin(const std::string& a, const std::string& b) {
  const auto one = net::parse_http_url(a), other = net::parse_http_url(b);
  return one.ok() && other.ok() && one->origin == other->origin;
}

}  // namespace

LfsActions::LfsActions(Settings settings, source::SourceEnvironment environment)
    : settings_(std::move(settings)),
      environment_(environment),
      http_(environment.http, environment.timer) {
  state_.lock()->progress = steady_clock::now();
  thread_ = std::thread([this] {
    base::name_this_thread("lv-git-lfs");
    run();
  });
}

LfsActions::~LfsActions() {
  stop();
}

void LfsActions::stop() {
  http_.close();
  state_.lock()->stopping = true;
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void LfsActions::set_endpoint(std::uint16_t remote, LfsEndpoint endpoint) {
  auto state = state_.lock();
  const auto found = state->endpoints.find(remote);
  if (found != state->endpoints.end() && found->second == endpoint) return;
  state->endpoints[remote] = std::move(endpoint);
  state->known.clear();
}

std::optional<LfsEndpoint> LfsActions::endpoint(std::uint16_t remote) const {
  const auto state = state_.lock();
  const auto found = state->endpoints.find(remote);
  return found == state->endpoints.end() ? std::nullopt : std::optional(found->second);
}

steady_clock::time_point LfsActions::progress() const {
  const auto state = state_.lock();
  return state->busy ? steady_clock::now() : state->progress;
}

void LfsActions::want(const LfsPlace& place, Done done) {
  std::string name = lfs_object_name(place.remote, place.object);
  auto state = state_.lock();
  if (state->stopping) {
    state.unlock();
    return done(Error{Code::cancelled, "shutting down"});
  }
  if (const auto known = state->known.find(name); known != state->known.end()) {
    if (steady_clock::now() < known->second.until) {
      LfsGrant grant = known->second.grant;
      state.unlock();
      return done(std::move(grant));
    }
    state->known.erase(known);
  }
  auto [found, fresh] = state->waiting.try_emplace(name, Waiting{place, {}});
  found->second.done.push_back(std::move(done));
  if (fresh) state->order.push_back(std::move(name));
  wake_.notify_all();
}

void LfsActions::expect(std::vector<LfsPlace> places) {
  auto state = state_.lock();
  for (LfsPlace& place : places) state->expected.push_back(std::move(place));
  while (state->expected.size() > kMaxExpected) state->expected.pop_front();
}

void LfsActions::forget(const LfsPlace& place, const std::string& url) {
  auto state = state_.lock();
  const auto known = state->known.find(lfs_object_name(place.remote, place.object));
  // Somebody else may have asked again meanwhile.
  if (known != state->known.end() && known->second.grant.action.url == url)
    state->known.erase(known);
}

void LfsActions::run() {
  for (;;) {
    Batch batch;
    if (!take(batch)) break;
    serve(batch);
  }
  // Callbacks outside of the lock: they may ask again, and are refused.
  std::unordered_map<std::string, Waiting> left;
  left.swap(state_.lock()->waiting);
  for (auto& [name, waiting] : left) {
    for (const Done& done : waiting.done) done(Error{Code::cancelled, "shutting down"});
  }
}

/// Waits until somebody asks: the first of them, others of that remote, and then likely ones. False
/// when it is time to end.
bool LfsActions::take(Batch& batch) {
  auto state = state_.lock();
  wake_.wait(state.native(), [&] { return state->stopping || !state->order.empty(); });
  if (state->stopping) return false;
  state->busy = true;
  batch.remote = state->waiting.at(state->order.front()).place.remote;
  if (const auto found = state->endpoints.find(batch.remote); found != state->endpoints.end()) {
    batch.endpoint = found->second;
  }
  std::deque<std::string> others;
  for (std::string& name : state->order) {
    const auto found = state->waiting.find(name);
    if (found->second.place.remote != batch.remote || batch.objects.size() == kLfsBatch) {
      others.push_back(std::move(name));
      continue;
    }
    batch.objects.push_back(found->second.place.object);
    batch.waiting.emplace_back(std::move(name), std::move(found->second));
    state->waiting.erase(found);
  }
  state->order.swap(others);
  const auto now = steady_clock::now();
  for (; !state->expected.empty() && batch.objects.size() < kLfsBatch; state->expected.pop_back()) {
    const LfsPlace& place = state->expected.back();
    const auto known = state->known.find(lfs_object_name(place.remote, place.object));
    if (known != state->known.end() && now < known->second.until) continue;
    const bool asked =
        std::find(batch.objects.begin(), batch.objects.end(), place.object) != batch.objects.end();
    if (place.remote == batch.remote && !asked) batch.objects.push_back(place.object);
  }
  state->expected.clear();  // what had no room is not what was asked for last
  return true;
}

void LfsActions::serve(Batch& batch) {
  const auto asked = steady_clock::now();
  auto answers =
      batch.endpoint ? ask(batch) : Result<Grants>(hopeless("nothing is known of the LFS server"));
  {
    auto state = state_.lock();
    state->busy = false;
    state->progress = steady_clock::now();
    for (const LfsPointer& object : batch.objects) {
      const auto found = answers.ok() ? answers->find(object.oid) : Grants::iterator();
      if (!answers.ok() || found == answers->end() || !found->second.ok()) continue;
      remember(*state, lfs_object_name(batch.remote, object), *found->second, asked);
    }
  }
  for (auto& [name, waiting] : batch.waiting) {
    Result<LfsGrant> answer = hopeless("the LFS server does not answer for " + name);
    if (!answers.ok()) {
      answer = answers.error();
    } else if (const auto found = answers->find(waiting.place.object.oid);
               found != answers->end()) {
      answer =
          found->second.ok() ? found->second : Result<LfsGrant>(found->second.error().in(name));
    }
    for (const Done& done : waiting.done) done(answer);
  }
}

void LfsActions::remember(State& state, const std::string& name, const LfsGrant& grant,
                          TimePoint asked) {
  const auto until = end_of(grant.action, asked);
  if (until <= asked) return;
  if (state.known.size() >= kMaxActions) state.known.clear();
  state.known.insert_or_assign(name, Known{grant, until});
}

Patience LfsActions::patience() const {
  return {settings_.io_timeout, http_.stop_token(), {}};
}

/// As whoever was let in the last time; when that is refused, once more as whoever may be let in.
Result<LfsActions::Grants> LfsActions::ask(const Batch& batch) {
  const auto kept = logins_.find(batch.remote);
  const bool fresh =
      kept != logins_.end() && (!kept->second.until || steady_clock::now() < *kept->second.until);
  if (fresh) {
    auto answers = ask_as(kept->second, batch);
    if (answers.ok() || answers.error().code != Code::access_denied) return answers;
  }
  logins_.erase(batch.remote);
  LAZYVOL_TRY_ASSIGN(Login plain, login(*batch.endpoint));
  auto answers = ask_as(plain, batch);
  const bool refused = !answers.ok() && answers.error().code == Code::access_denied;
  if (refused && plain.action.headers.empty()) {
    auto other = another_identity(plain);
    if (!other) return answers;
    plain.identity = std::move(other);
    answers = ask_as(plain, batch);
    if (answers.ok()) logins_[batch.remote] = std::move(plain);
  } else if (answers.ok() && plain.until) {
    logins_[batch.remote] = std::move(plain);
  }
  return answers;
}

/// Of a file that has changed, or what git itself would use; null when there is nothing else.
std::shared_ptr<const net::HttpIdentity> LfsActions::another_identity(const Login& login) {
  settings_.access->reload_credentials();
  auto now = settings_.access->identity_for(login.action.url);
  if (!(*now == *login.identity)) return now;
  if (!now->username.empty() || !now->bearer_token.empty()) return nullptr;
  auto helped = ask_credential_helper(*settings_.access, settings_.git_dir, login.action.url, *now,
                                      patience());
  return helped ? std::make_shared<const net::HttpIdentity>(*std::move(helped)) : nullptr;
}

Result<LfsActions::Login> LfsActions::login(const LfsEndpoint& endpoint) {
  Login login;
  login.action.url = endpoint.url;
  if (endpoint.kind == LfsEndpoint::Kind::ssh) {
    const auto asked = steady_clock::now();
    LAZYVOL_TRY_ASSIGN(const Command command,
                       settings_.access->ssh(settings_.git_dir, endpoint.url,
                                             "git-lfs-authenticate", " download"));
    LAZYVOL_TRY_ASSIGN(const Finished finished, git::run(command, {}, patience(), kMaxLfsAnswer));
    if (finished.status != 0) return git_error("git-lfs-authenticate", finished.errors);
    LAZYVOL_TRY_ASSIGN(login.action, parse_lfs_authentication(finished.output, {false, wall_s()}));
    if (login.action.url.empty()) return hopeless("git-lfs-authenticate tells no URL");
    while (login.action.url.ends_with('/')) login.action.url.pop_back();
    login.until = end_of(login.action, asked);
  }
  login.identity = settings_.access->identity_for(login.action.url);
  return login;
}

Result<LfsActions::Grants> LfsActions::ask_as(const Login& login, const Batch& batch) {
  net::HttpRequest request;
  request.method = net::HttpRequest::Method::post;
  request.url = login.action.url + "/objects/batch";
  request.headers = login.action.headers;
  request.headers.emplace_back("Accept", "application/vnd.git-lfs+json");
  request.headers.emplace_back("Content-Type", "application/vnd.git-lfs+json");
  request.body = lfs_batch_request(batch.objects);
  request.identity = login.identity;
  // As for git: with secrets a redirect could lead elsewhere.
  request.follow_redirects = false;
  request.context.no_progress = settings_.io_timeout;
  net::FetchBodyOptions options;
  options.max_body = kMaxLfsAnswer;
  options.retry.max_retries = 0;  // whoever reads tries again
  options.explain = [url = request.url](const net::HttpHead& head, std::string_view page) {
    return explain(head, page, url);
  };
  const bool tls = request.url.starts_with("https://");
  LAZYVOL_TRY_ASSIGN(const net::HttpBody body, http_.fetch(std::move(request), std::move(options)));
  LAZYVOL_TRY_ASSIGN(const LfsAnswers answers, parse_lfs_batch(body.bytes, {tls, wall_s()}));
  Grants grants;
  for (const auto& [oid, answer] : answers) {
    grants.emplace(oid, answer.ok() ? Result<LfsGrant>(grant(*answer, login))
                                    : Result<LfsGrant>(answer.error()));
  }
  return grants;
}

LfsGrant LfsActions::grant(const LfsAction& action, const Login& login) const {
  const bool own_login = action.authenticated || names_authorization(action);
  if (!own_login && have_one_origin(action.url, login.action.url)) return {action, login.identity};
  const auto known = settings_.access->identity_for(action.url);
  // Of what is known of SOURCE's own host, what is no login.
  net::HttpIdentity trust;
  trust.ca_cert_path = known->ca_cert_path;
  trust.client_cert_path = known->client_cert_path;
  trust.client_key_path = known->client_key_path;
  return {action, std::make_shared<const net::HttpIdentity>(std::move(trust))};
}

}  // namespace lazyvol::git
