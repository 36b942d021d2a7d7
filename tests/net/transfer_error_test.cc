#include "net/transfer_error.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace lazyvol::net {
namespace {

TEST(TransferError, MapsWhatCallersActOn) {
  const struct {
    CURLcode curl;
    Code code;
  } table[] = {{CURLE_COULDNT_RESOLVE_HOST, Code::unreachable},
               {CURLE_COULDNT_CONNECT, Code::unreachable},
               {CURLE_OPERATION_TIMEDOUT, Code::unreachable},
               {CURLE_SSL_CONNECT_ERROR, Code::unreachable},
               {CURLE_PEER_FAILED_VERIFICATION, Code::access_denied},
               {CURLE_SSL_CERTPROBLEM, Code::access_denied},
               {CURLE_SSL_CACERT_BADFILE, Code::access_denied},
               {CURLE_PARTIAL_FILE, Code::io_error},
               {CURLE_RECV_ERROR, Code::io_error},
               {CURLE_GOT_NOTHING, Code::io_error},
               {CURLE_HTTP2_STREAM, Code::io_error},
               {CURLE_BAD_CONTENT_ENCODING, Code::corrupt},
               {CURLE_URL_MALFORMAT, Code::invalid_argument},
               {CURLE_OUT_OF_MEMORY, Code::out_of_memory},
               {CURLE_WRITE_ERROR, Code::cancelled},
               {CURLE_FTP_WEIRD_PASV_REPLY, Code::io_error}};
  for (const auto& row : table) {
    const Error error = transfer_error(row.curl, "example.org", "", 0);
    EXPECT_EQ(error.code, row.code) << curl_easy_strerror(row.curl);
    EXPECT_FALSE(error.message.empty());
  }
}

TEST(TransferError, NamesTheHostAndTheReason) {
  EXPECT_EQ(transfer_error(CURLE_COULDNT_RESOLVE_HOST, "x.invalid", "", 0).message,
            "cannot resolve host 'x.invalid'");
  EXPECT_EQ(transfer_error(CURLE_COULDNT_CONNECT, "h:81", "", ECONNREFUSED).message,
            "cannot connect to host 'h:81': Connection refused");
  EXPECT_EQ(transfer_error(CURLE_PEER_FAILED_VERIFICATION, "h", "expired", 0).message,
            "host 'h': TLS certificate not trusted (option ca-cert names an authority to trust): "
            "expired");
}

}  // namespace
}  // namespace lazyvol::net
