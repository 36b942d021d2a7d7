#include "net/waiting_http.h"

#include <future>
#include <memory>
#include <utility>

namespace lazyvol::net {

Result<HttpBody> WaitingHttp::fetch(HttpRequest request, FetchBodyOptions options) {
  request.context.stop = stop_.get_token();
  // Shared: a promise may be in set_value() still when its future has answered.
  const auto answer = std::make_shared<std::promise<Result<HttpBody>>>();
  {
    const auto closed = closed_.lock();
    if (*closed) return Error{Code::cancelled, "cancelled"};
    fetch_body(engine_, timer_, std::move(request), std::move(options),
               [answer](Result<HttpBody> body) { answer->set_value(std::move(body)); });
  }
  return answer->get_future().get();
}

void WaitingHttp::close() {
  *closed_.lock() = true;
  stop_.request_stop();
}

}  // namespace lazyvol::net
