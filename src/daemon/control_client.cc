#include "daemon/control_client.h"

#include <curl/curl.h>

#include <memory>
#include <utility>

#include "daemon/paths.h"

namespace lazyvol::daemon {
namespace {

constexpr std::chrono::milliseconds kStatusTimeout{5'000};
/// The longest answer, or line of one, that is taken: a status of a thousand mounts is about 1 MB.
constexpr std::size_t kMaxAnswer = 16ULL << 20;

struct Receiving {
  std::string text;  ///< all of it, or the line that is under way
  const std::function<void(std::string_view)>* on_line = nullptr;
};

std::size_t receive(char* data, std::size_t, std::size_t size, void* user) {
  auto& receiving = *static_cast<Receiving*>(user);
  if (receiving.text.size() + size > kMaxAnswer) return 0;
  receiving.text.append(data, size);
  if (!*receiving.on_line) return size;
  for (std::size_t end; (end = receiving.text.find('\n')) != std::string::npos;) {
    if (end > 0) (*receiving.on_line)(std::string_view(receiving.text).substr(0, end));
    receiving.text.erase(0, end + 1);
  }
  return size;
}

Code code_named(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(Code::out_of_memory); ++i) {
    if (to_string(static_cast<Code>(i)) == name) return static_cast<Code>(i);
  }
  return Code::io_error;
}

Result<ControlJson> decode(std::string_view text) {
  auto json = ControlJson::parse(text, nullptr, false);
  if (!json.is_object()) return Error{Code::io_error, "the daemon's answer makes no sense"};
  if (!json.contains("error")) return json;
  return Error{code_named(json_text(json, "/error/code")), json_text(json, "/error/message")};
}

Error curl_error(CURLcode code, const std::filesystem::path& socket) {
  switch (code) {
    case CURLE_COULDNT_CONNECT:
      return {Code::unreachable, "no lazyvold answers on " + socket.string()};
    case CURLE_OPERATION_TIMEDOUT:
      return {Code::timed_out, "lazyvold on " + socket.string() + " does not answer"};
    default:
      return {Code::io_error, "lazyvold on " + socket.string() +
                                  ": the connection broke: " + curl_easy_strerror(code)};
  }
}

}  // namespace

Result<std::string> ControlClient::call(
    const std::string& path, const std::string* body, std::chrono::milliseconds timeout,
    const std::function<void(std::string_view)>& on_line) const {
  std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> easy(curl_easy_init(), curl_easy_cleanup);
  if (!easy) return Error{Code::out_of_memory, "curl_easy_init"};
  Receiving receiving{{}, &on_line};
  CURL* handle = easy.get();
  curl_easy_setopt(handle, CURLOPT_UNIX_SOCKET_PATH, socket_.c_str());
  curl_easy_setopt(handle, CURLOPT_URL, ("http://lazyvold" + path).c_str());
  curl_easy_setopt(handle, CURLOPT_PROXY, "");
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(kStatusTimeout.count()));
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(timeout.count()));
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, receive);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &receiving);
  std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> headers(
      curl_slist_append(nullptr, "Expect:"), curl_slist_free_all);
  if (body != nullptr) {
    headers.reset(curl_slist_append(headers.release(), "Content-Type: application/json"));
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE, static_cast<long>(body->size()));
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, body->c_str());
  }
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers.get());
  if (const CURLcode code = curl_easy_perform(handle); code != CURLE_OK) {
    return curl_error(code, socket_);
  }
  return std::move(receiving.text);
}

Result<ControlJson> ControlClient::get(const std::string& path,
                                       std::chrono::milliseconds timeout) const {
  LAZYVOL_TRY_ASSIGN(const auto text, call(path, nullptr, timeout, nullptr));
  return decode(text);
}

Result<ControlJson> ControlClient::post(const std::string& path, const ControlJson& body,
                                        std::chrono::milliseconds timeout) const {
  const std::string text = body.dump(-1, ' ', false, ControlJson::error_handler_t::replace);
  LAZYVOL_TRY_ASSIGN(const auto answer, call(path, &text, timeout, nullptr));
  return decode(answer);
}

Result<ControlJson> ControlClient::post_lines(
    const std::string& path, const ControlJson& body,
    const std::function<void(const ControlJson&)>& line) const {
  const std::string text = body.dump(-1, ' ', false, ControlJson::error_handler_t::replace);
  Result<ControlJson> last = Error{Code::io_error, "the daemon stopped before it was done"};
  const std::function<void(std::string_view)> on_line = [&](std::string_view one) {
    auto decoded = decode(one);
    const bool final = !decoded.ok() || json_flag(*decoded, "/finished");
    if (decoded.ok()) line(*decoded);
    if (final) last = std::move(decoded);
  };
  LAZYVOL_TRY_ASSIGN(const auto rest, call(path, &text, std::chrono::milliseconds(0), on_line));
  if (!rest.empty()) return Error{Code::io_error, "the daemon's answer broke off"};
  return last;
}

Result<ControlJson> ControlClient::status() const {
  return get("/v1/status", kStatusTimeout);
}

std::vector<LiveDaemon> find_daemons(const std::filesystem::path& runtime) {
  std::vector<LiveDaemon> daemons;
  for (const auto& socket : list_control_sockets(runtime)) {
    ControlClient client(socket);
    if (auto status = client.status(); status.ok()) {
      daemons.push_back({std::move(client), std::move(*status)});
    }
  }
  return daemons;
}

Result<LiveDaemon> find_daemon_of_mount(const std::filesystem::path& runtime,
                                        const std::string& mountpoint) {
  for (auto& daemon : find_daemons(runtime)) {
    for (const auto& mount : json_array(daemon.status, "/mounts")) {
      if (json_text(mount, "/mountpoint") == mountpoint) return std::move(daemon);
    }
  }
  return Error{Code::not_found, mountpoint + ": no running lazyvold serves it"};
}

namespace {

const ControlJson* find(const ControlJson& json, const char* pointer) {
  const ControlJson::json_pointer where(pointer);
  return json.contains(where) ? &json.at(where) : nullptr;
}

}  // namespace

std::uint64_t json_number(const ControlJson& json, const char* pointer) {
  const auto* value = find(json, pointer);
  return value != nullptr && value->is_number_unsigned() ? value->get<std::uint64_t>() : 0;
}

std::string json_text(const ControlJson& json, const char* pointer) {
  const auto* value = find(json, pointer);
  return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

bool json_flag(const ControlJson& json, const char* pointer) {
  const auto* value = find(json, pointer);
  return value != nullptr && value->is_boolean() && value->get<bool>();
}

const ControlJson& json_array(const ControlJson& json, const char* pointer) {
  static const ControlJson kEmpty = ControlJson::array();
  const auto* value = find(json, pointer);
  return value != nullptr && value->is_array() ? *value : kEmpty;
}

}  // namespace lazyvol::daemon
