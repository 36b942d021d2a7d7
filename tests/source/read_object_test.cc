// Small objects whole: what is retried, what begins anew, what ends it.
#include "source/read_object.h"

#include <gtest/gtest.h>

#include <deque>
#include <thread>

#include "source/calls.h"
#include "support/servers.h"
#include "support/temp_dir.h"

namespace lazyvol::source {
namespace {

using lazyvol::testing::Nginx;
using lazyvol::testing::NginxOptions;
using lazyvol::testing::noise;
using lazyvol::testing::Relay;
using lazyvol::testing::TempDir;
using lazyvol::testing::write_file;
using std::chrono::milliseconds;

/// Serves one object inline, each read as the next step says; then plainly.
class ScriptedSource final : public Source {
 public:
  struct Step {
    std::optional<Error> refuse{};
    std::uint64_t cut_after = ~std::uint64_t{0};
    Status cut_with = Error{Code::io_error, "broken off"};
    std::uint64_t promise_less = 0;        ///< bytes that the start leaves out of the range
    std::optional<std::string> replace{};  ///< the object from now on
    bool whole = false;
    bool hang = false;  ///< until it is stopped
  };

  explicit ScriptedSource(std::string bytes) : bytes_(std::move(bytes)) {}
  std::deque<Step> steps;
  std::vector<ReadRequest> reads;

  SourceTraits traits() const override { return {"scripted", "scripted://"}; }
  void list(std::string, std::string, RequestContext, ListDone done) override {
    done(Error{Code::unsupported, ""});
  }
  void stat(std::string, RequestContext, StatDone done) override {
    done(Error{Code::unsupported, ""});
  }
  std::shared_ptr<Transfer> read(ReadRequest request, std::shared_ptr<ReadSink> sink,
                                 RequestContext ctx) override {
    reads.push_back(request);
    Step step;
    if (!steps.empty()) {
      step = std::move(steps.front());
      steps.pop_front();
    }
    if (step.replace) {
      bytes_ = *step.replace;
      ++version_;
    }
    if (step.hang) {
      held_ = sink;
      // Held no longer than that: the sink keeps this source alive.
      on_stop_.emplace(ctx.stop, std::function<void()>([this] {
                         const auto ended = std::move(held_);
                         ended->on_done(Error{Code::cancelled, "stopped"});
                       }));
      return nullptr;
    }
    sink->on_done(serve(request, *sink, step));
    return nullptr;
  }

 private:
  Status serve(const ReadRequest& request, ReadSink& sink, const Step& step) {
    if (step.refuse) return *step.refuse;
    const std::string validator = "v" + std::to_string(version_);
    if (!request.validator.empty() && request.validator != validator) {
      return Error{Code::stale, "another version"};
    }
    const std::uint64_t offset = step.whole ? 0 : std::min(request.offset, bytes_.size());
    std::string_view part = std::string_view(bytes_).substr(offset);
    if (!step.whole) part = part.substr(0, request.length);
    part.remove_suffix(step.promise_less);
    if (sink.on_start({validator, offset, part.size(), bytes_.size()}) == Flow::abort) {
      return Error{Code::cancelled, "refused"};
    }
    std::uint64_t sent = 0;
    while (sent < std::min<std::uint64_t>(part.size(), step.cut_after)) {
      const auto piece = part.substr(sent, std::min<std::uint64_t>(7, step.cut_after - sent));
      sent += piece.size();
      if (sink.on_data(std::as_bytes(std::span(piece))) == Flow::abort) {
        return Error{Code::cancelled, "refused"};
      }
    }
    return sent < part.size() ? step.cut_with : Status();
  }

  std::string bytes_;
  int version_ = 1;
  std::shared_ptr<ReadSink> held_;
  std::optional<std::stop_callback<std::function<void()>>> on_stop_;
};

class ReadObjectTest : public ::testing::Test {
 protected:
  Result<Object> get(ReadObject what, RequestContext ctx = {}) {
    return read_object_now(source_, timer_, std::move(what), std::move(ctx));
  }
  std::size_t reads() const { return source_->reads.size(); }

  const std::string bytes_ = noise(1'000, 1);
  std::shared_ptr<ScriptedSource> source_ = std::make_shared<ScriptedSource>(bytes_);
  base::TimerQueue timer_;
};

TEST_F(ReadObjectTest, OneRequest) {
  const auto object = get({.path = "head", .limit = 1'000});
  ASSERT_TRUE(object.ok());
  EXPECT_EQ(object->bytes, bytes_);
  EXPECT_EQ(object->validator, "v1");
  EXPECT_EQ(object->total_size, 1'000u);
  EXPECT_EQ(reads(), 1u);
}

TEST_F(ReadObjectTest, ARangeAndALimit) {
  EXPECT_EQ(get({.path = "p", .offset = 100, .limit = 50, .cut = true})->bytes,
            bytes_.substr(100, 50));
  EXPECT_EQ(get({.path = "p", .offset = 990, .limit = 50})->bytes, bytes_.substr(990));
  EXPECT_EQ(get({.path = "p", .offset = 1'000, .limit = 50})->bytes, "");
  EXPECT_EQ(code_of(get({.path = "p", .limit = 999})), Code::too_large);
  EXPECT_EQ(code_of(get({.path = "p", .limit = 0})), Code::invalid_argument);
}

TEST_F(ReadObjectTest, GoesOnWhereItBrokeOff) {
  source_->steps = {
      {.cut_after = 100}, {.refuse = Error{Code::unreachable, "down"}}, {.cut_after = 300}};
  EXPECT_EQ(get({.path = "p", .limit = 2'000})->bytes, bytes_);
  ASSERT_EQ(reads(), 4u);
  EXPECT_EQ(source_->reads[1].offset, 100u);
  EXPECT_EQ(source_->reads[1].validator, "v1");
  EXPECT_EQ(source_->reads[3].offset, 400u);
}

TEST_F(ReadObjectTest, AnotherVersionBeginsAnew) {
  const std::string other = noise(900, 2);
  source_->steps = {{.cut_after = 100}, {.replace = other}};
  const auto object = get({.path = "p", .limit = 2'000});
  ASSERT_TRUE(object.ok());
  EXPECT_EQ(object->bytes, other);
  EXPECT_EQ(object->validator, "v2");
  EXPECT_EQ(source_->reads.back().offset, 0u);
}

TEST_F(ReadObjectTest, VersionsThatNeverEnd) {
  for (int i = 0; i < 50; ++i) source_->steps.push_back({.cut_after = 9, .replace = noise(99, 3)});
  EXPECT_EQ(code_of(get({.path = "p", .limit = 2'000})), Code::stale);
}

TEST_F(ReadObjectTest, PartsAreJoined) {
  source_->steps = {{.promise_less = 600}};
  EXPECT_EQ(get({.path = "p", .limit = 2'000})->bytes, bytes_);
  EXPECT_EQ(reads(), 2u);
}

TEST_F(ReadObjectTest, ASourceThatPromisesMoreThanItBrings) {
  for (int i = 0; i < 50; ++i) source_->steps.push_back({.cut_after = 0, .cut_with = Status()});
  EXPECT_EQ(code_of(get({.path = "p", .limit = 2'000}, {.no_progress = milliseconds(300)})),
            Code::corrupt);
  EXPECT_GT(reads(), 1u);
}

TEST_F(ReadObjectTest, AServerWithoutRanges) {
  source_->steps = {{.whole = true}, {.whole = true}};
  EXPECT_EQ(get({.path = "p", .offset = 13, .limit = 500, .cut = true})->bytes,
            bytes_.substr(13, 500));
  EXPECT_EQ(get({.path = "p", .offset = 13, .limit = 987})->bytes, bytes_.substr(13));
}

TEST_F(ReadObjectTest, WhatIsFinalIsNotRetried) {
  for (const Code code : {Code::not_found, Code::access_denied, Code::unsupported}) {
    source_->reads.clear();
    source_->steps = {{.refuse = Error{code, "no"}}};
    EXPECT_EQ(code_of(get({.path = "p", .limit = 9, .cut = true})), code);
    EXPECT_EQ(reads(), 1u);
  }
}

TEST_F(ReadObjectTest, TheDeadlineEndsIt) {
  for (int i = 0; i < 50; ++i) source_->steps.push_back({.refuse = Error{Code::unreachable, "no"}});
  EXPECT_EQ(code_of(get({.path = "p", .limit = 9}, {.no_progress = milliseconds(250)})),
            Code::unreachable);
  EXPECT_LE(reads(), 4u);
}

TEST_F(ReadObjectTest, Cancelling) {
  // While an attempt is under way, and while the next one waits for its time.
  for (auto step :
       {ScriptedSource::Step{.hang = true},
        ScriptedSource::Step{.refuse = Error{Code::throttled, "later", milliseconds(9'000)}}}) {
    source_->steps = {step};
    std::stop_source stop;
    int answers = 0;
    std::optional<Code> code;
    read_object(source_, timer_, {.path = "p", .limit = 9}, {.stop = stop.get_token()},
                [&](Result<Object> result) {
                  ++answers;
                  code = code_of(result);
                });
    EXPECT_EQ(answers, 0);
    stop.request_stop();
    EXPECT_EQ(answers, 1);
    EXPECT_EQ(code, Code::cancelled);
  }
}

TEST_F(ReadObjectTest, TheTimersEndAnswersWhatWaits) {
  source_->steps = {{.refuse = Error{Code::throttled, "later", milliseconds(9'000)}}};
  std::optional<Code> code;
  read_object(source_, timer_, {.path = "p", .limit = 9}, {},
              [&](Result<Object> result) { code = code_of(result); });
  timer_.stop();
  EXPECT_EQ(code, Code::cancelled);
}

TEST(ReadObjectReal, Nginx) {
  const TempDir dir;
  const std::string bytes = noise(700'000, 9);
  write_file(dir.path() / "v/lazyvol-head", bytes);
  Nginx server(dir.path());
  Relay relay(server.port());
  Rig rig;
  const auto source = rig.open("http://127.0.0.1:" + std::to_string(relay.port()) + "/v/");
  const auto whole =
      read_object_now(source, rig.timer(), {.path = "lazyvol-head", .limit = 1 << 20}, {});
  ASSERT_TRUE(whole.ok()) << whole.error().message;
  EXPECT_TRUE(whole->bytes == bytes);
  while (server.access_log().empty()) std::this_thread::yield();  // it is written a little later
  EXPECT_EQ(server.access_log().size(), 1u);
  EXPECT_EQ(read_object_now(source, rig.timer(),
                            {.path = "lazyvol-head", .offset = 500, .limit = 99, .cut = true}, {})
                ->bytes,
            bytes.substr(500, 99));
  EXPECT_EQ(code_of(read_object_now(source, rig.timer(), {.path = "none", .limit = 9}, {})),
            Code::not_found);
  relay.set_cut_after(100'000);
  relay.cut_all();
  const auto broken =
      read_object_now(source, rig.timer(), {.path = "lazyvol-head", .limit = 1 << 20}, {});
  ASSERT_TRUE(broken.ok()) << broken.error().message;
  EXPECT_TRUE(broken->bytes == bytes);
}

TEST(ReadObjectReal, NginxWithoutRanges) {
  const TempDir dir;
  const std::string bytes = noise(700'000, 9);
  write_file(dir.path() / "f", bytes);
  NginxOptions options;
  options.extra_location = "max_ranges 0;";
  Nginx server(dir.path(), options);
  Rig rig;
  const auto source = rig.open(server.url());
  EXPECT_EQ(read_object_now(source, rig.timer(),
                            {.path = "f", .offset = 500, .limit = 99, .cut = true}, {})
                ->bytes,
            bytes.substr(500, 99));
}

}  // namespace
}  // namespace lazyvol::source
