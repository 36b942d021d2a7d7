// One exchange with one server: a libcurl easy handle between a request and its sink.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "net/concurrency.h"
#include "net/easy_handle.h"
#include "net/header_parser.h"
#include "net/pending_request.h"
#include "net/socket_registry.h"

namespace lazyvol::net {

/// Ranges of this length and more go over a connection of their own.
inline constexpr std::uint64_t kBulkBytes = 1024 * 1024;
inline constexpr int kMaxRedirects = 10;

/// Self-synchronised; what HttpStats is made of.
struct Counters {
  std::atomic<std::uint64_t> requests{0}, failures{0}, connections_opened{0}, bytes_received{0};
  std::atomic<std::uint64_t> in_flight{0}, queued{0}, connections_allowed{0};
};

/// Lives on the transfer thread, at one address, while its handle is in the multi handle.
class CurlTransfer {
 public:
  CurlTransfer(std::unique_ptr<PendingRequest> pending, EasyHandle easy,
               const HttpEngineOptions& options, Counters& counters, SocketRegistry& sockets);
  CurlTransfer(const CurlTransfer&) = delete;
  CurlTransfer& operator=(const CurlTransfer&) = delete;

  /// Sets every option of the handle; then it may be added to the multi handle.
  /// Errors: invalid_argument, out_of_memory.
  Status prepare();

  CURL* easy() const { return easy_.get(); }
  const PendingRequest& pending() const { return *pending_; }
  /// When the server will have been silent for too long; time_point::max() while the sink holds
  /// back.
  base::Monotonic deadline() const;
  /// When the last byte came, or now while the sink holds back; the clock's epoch for never.
  base::Monotonic last_progress() const;

  /// Lets data flow again. An error ends the transfer: give it to outcome().
  CURLcode resume();

  /// Before the handle is removed early: libcurl 7.88 leaks what it holds back for a paused HTTP/2
  /// transfer, unless it can deliver it. Nothing reaches the sink any more.
  void drop_held();

  /// What `code`, the end of the transfer, means for the sink; ok also for a redirect to be
  /// followed.
  Status outcome(CURLcode code);
  /// What it says of the server's load, having ended with `code` (CURLE_OPERATION_TIMEDOUT also
  /// when it was we who lost patience).
  Concurrency::Outcome load(base::Monotonic ended, CURLcode code) const;
  /// Where the server sent us instead, if it did.
  const std::optional<std::string>& redirect() const { return redirect_; }
  bool over_http2() const;

  std::unique_ptr<PendingRequest> take_pending() { return std::move(pending_); }
  EasyHandle take_easy() { return std::move(easy_); }

 private:
  static std::size_t header_callback(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t write_callback(char* data, std::size_t size, std::size_t count, void* self);
  static int progress_callback(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t sent);
  static curl_socket_t open_socket_callback(void* self, curlsocktype purpose,
                                            curl_sockaddr* address);
  std::size_t on_header(std::string_view line);
  std::size_t on_data(std::span<const std::byte> data);
  bool on_head_complete();
  bool proceed_after(Flow flow);
  Status fail(Code code, std::string_view what);

  template <class T>
  void set(CURLoption option, T value);
  void set_connection();
  void set_trust();
  void set_credentials();
  void set_method();
  void set_request();
  bool add_header(const std::string& name, const std::string& value);
  bool add_line(const std::string& line);
  bool may_see_credentials() const;

  std::unique_ptr<PendingRequest> pending_;
  EasyHandle easy_;
  const HttpEngineOptions& options_;
  Counters& counters_;
  SocketRegistry& sockets_;
  HeaderList headers_;
  CURLcode set_code_ = CURLE_OK;  ///< the first option that was refused
  std::array<char, CURL_ERROR_SIZE> reason_{};

  HeaderParser parser_;
  std::optional<Error> failure_;  ///< why a callback ended the transfer
  std::optional<std::string> redirect_;
  std::size_t redirect_body_ = 0;
  base::Monotonic quiet_since_;  ///< the start, a resume() or a byte
  curl_off_t sent_ = 0;          ///< of the body
  base::Monotonic last_byte_{};
  bool paused_ = false;  ///< the sink said so
  bool held_ = false;    ///< and libcurl keeps data back because of it
  bool dropping_ = false;
};

}  // namespace lazyvol::net
