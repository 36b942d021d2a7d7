#include "daemon/control_server.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <thread>

#include "daemon/control_client.h"
#include "daemon/raw_call.h"
#include "support/temp_dir.h"

namespace lazyvol::daemon {
namespace {

class ControlServerTest : public ::testing::Test {
 protected:
  void serve(ControlHandler handler) {
    auto server = ControlServer::start(socket_, std::move(handler));
    ASSERT_TRUE(server.ok()) << server.error().message;
    server_ = std::move(*server);
  }
  ControlResponse echo(const ControlRequest& request) {
    return {200,
            ControlJson{
                {"method", request.method}, {"path", request.path}, {"size", request.body.size()}}
                .dump()};
  }
  void serve_echo() {
    serve([this](const ControlRequest& request) { return echo(request); });
  }

  testing::TempDir temp_;
  const std::filesystem::path socket_ = temp_.path() / "control.sock";
  std::unique_ptr<ControlServer> server_;
};

TEST_F(ControlServerTest, PassesMethodPathAndBody) {
  serve_echo();
  const ControlClient client(socket_);
  const auto got = client.get("/v1/x", std::chrono::seconds(30));
  ASSERT_TRUE(got.ok()) << got.error().message;
  EXPECT_EQ(json_text(*got, "/method"), "GET");
  EXPECT_EQ(json_text(*got, "/path"), "/v1/x");
  const auto posted =
      client.post("/v1/y", {{"text", std::string(1000, 'x')}}, std::chrono::seconds(30));
  ASSERT_TRUE(posted.ok()) << posted.error().message;
  EXPECT_EQ(json_number(*posted, "/size"), 1011u);
}

TEST_F(ControlServerTest, SocketIsPrivateAndGoesAway) {
  serve_echo();
  struct stat info {};
  ASSERT_EQ(stat(socket_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  server_->stop();
  EXPECT_FALSE(std::filesystem::exists(socket_));
  EXPECT_EQ(ControlClient(socket_).status().error().code, Code::unreachable);
}

TEST_F(ControlServerTest, ReplacesTheSocketOfADeadDaemon) {
  testing::write_file(socket_, "");
  serve_echo();
  EXPECT_TRUE(ControlClient(socket_).status().ok());
}

TEST_F(ControlServerTest, BodyAtTheLimitPassesAndOneAboveIsRefused) {
  serve_echo();
  const auto full = raw_call(socket_, post_text("/v1/x", std::string(kMaxControlBody, 'x')));
  EXPECT_NE(full.find("HTTP/1.1 200"), std::string::npos) << full;
  const auto over = raw_call(socket_, post_text("/v1/x", std::string(kMaxControlBody + 1, 'x')));
  EXPECT_NE(over.find("HTTP/1.1 413"), std::string::npos) << over;
  EXPECT_NE(over.find("too_large"), std::string::npos) << over;
}

TEST_F(ControlServerTest, EndlessBodyIsCutOff) {
  serve_echo();
  raw_call(socket_, post_text("/v1/x", std::string(4 << 20, 'x')));
  EXPECT_TRUE(ControlClient(socket_).status().ok());  // and the server lives on
}

TEST_F(ControlServerTest, NoiseInsteadOfHttpHarmsNobody) {
  serve_echo();
  raw_call(socket_, testing::noise(20'000, 1));
  raw_call(socket_, "");
  EXPECT_TRUE(ControlClient(socket_).status().ok());
}

TEST_F(ControlServerTest, OtherUsersAreRefused) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root to be somebody else";
  serve_echo();
  // Even if the file modes let them in.
  for (auto dir = temp_.path(); dir != "/tmp" && dir != "/"; dir = dir.parent_path()) {
    chmod(dir.c_str(), 0755);
  }
  chmod(socket_.c_str(), 0666);
  const pid_t child = fork();
  if (child == 0) {
    if (setresuid(65534, 65534, 65534) != 0) _exit(3);
    const auto answer = raw_call(socket_,
                                 "GET /v1/status HTTP/1.1\r\nHost: x\r\n"
                                 "Connection: close\r\n\r\n");
    _exit(answer.find("HTTP/1.1 403") != std::string::npos ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(ControlServerTest, StreamsLinesUntilTheLast) {
  auto stream = std::make_shared<LineStream>();
  serve([stream](const ControlRequest&) { return ControlResponse{200, {}, stream}; });
  std::promise<void> first;
  auto answer = std::async(std::launch::async, [&] {
    return ControlClient(socket_).post_lines("/v1/x", ControlJson::object(),
                                             [&](const ControlJson& line) {
                                               if (json_number(line, "/n") == 1) first.set_value();
                                             });
  });
  stream->progress(R"({"n":1})");
  first.get_future().wait();  // lines come while the answer is under way
  stream->finish(R"({"n":2,"finished":true})");
  const auto last = answer.get();
  ASSERT_TRUE(last.ok()) << last.error().message;
  EXPECT_EQ(json_number(*last, "/n"), 2u);
}

TEST_F(ControlServerTest, ErrorInAStreamIsTheAnswer) {
  auto stream = std::make_shared<LineStream>();
  stream->finish(R"({"error":{"code":"not_found","message":"gone"}})");
  serve([stream](const ControlRequest&) { return ControlResponse{200, {}, stream}; });
  const auto answer =
      ControlClient(socket_).post_lines("/v1/x", ControlJson::object(), [](const auto&) {});
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, Code::not_found);
  EXPECT_EQ(answer.error().message, "gone");
}

TEST_F(ControlServerTest, ClientThatGoesStopsTheProducer) {
  auto stream = std::make_shared<LineStream>();
  std::promise<void> stopped;
  std::stop_callback on_stop(stream->stop_token(), [&] { stopped.set_value(); });
  serve([stream](const ControlRequest&) { return ControlResponse{200, {}, stream}; });
  const int fd = connect_to(socket_);
  ASSERT_GE(fd, 0);
  const std::string call = post_text("/v1/x", "{}");
  ASSERT_EQ(write(fd, call.data(), call.size()), static_cast<ssize_t>(call.size()));
  char byte = 0;
  ASSERT_EQ(read(fd, &byte, 1), 1);  // the answer has begun
  close(fd);
  stopped.get_future().wait();
}

TEST_F(ControlServerTest, StoppingEndsStreamsAndHandlers) {
  auto stream = std::make_shared<LineStream>();
  std::promise<void> entered;
  serve([&](const ControlRequest& request) {
    if (request.path == "/v1/stream") return ControlResponse{200, {}, stream};
    entered.set_value();
    std::promise<void> stop;
    std::stop_callback on_stop(request.stop, [&] { stop.set_value(); });
    stop.get_future().wait();
    return ControlResponse{200, "{}"};
  });
  auto waiting = std::async(std::launch::async, [&] {
    return ControlClient(socket_).get("/v1/wait", std::chrono::milliseconds(0)).ok();
  });
  auto streaming = std::async(std::launch::async, [&] {
    return ControlClient(socket_)
        .post_lines("/v1/stream", ControlJson::object(), [](const auto&) {})
        .ok();
  });
  entered.get_future().wait();
  server_->stop();
  waiting.wait();
  EXPECT_FALSE(streaming.get());  // it never saw a last line
}

TEST(LineStreamTest, ASlowReaderSeesTheLatestLine) {
  LineStream stream;
  stream.progress("1");
  stream.progress("2");
  EXPECT_EQ(stream.next(std::chrono::seconds(30)), "2\n");
  stream.progress("3");
  stream.finish("end");
  stream.progress("late");
  EXPECT_EQ(stream.next(std::chrono::seconds(30)), "3\n");
  EXPECT_EQ(stream.next(std::chrono::seconds(30)), "end\n");
  EXPECT_EQ(stream.next(std::chrono::seconds(30)), std::nullopt);
}

TEST(LineStreamTest, ABeatWhileNothingComes) {
  LineStream stream;
  EXPECT_EQ(stream.next(std::chrono::milliseconds(1)), "\n");
  stream.request_stop();
  EXPECT_EQ(stream.next(std::chrono::milliseconds(1)), std::nullopt);
}

}  // namespace
}  // namespace lazyvol::daemon
