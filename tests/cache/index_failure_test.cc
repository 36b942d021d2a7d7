// The index on a disk that fails: nothing aborts, nothing lies, and it comes back.
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <random>

#include "cache/index_settings.h"
#include "support/temp_dir.h"

namespace lazyvol::cache {
namespace {

using namespace std::chrono_literals;

class ManualClock final : public base::Clock {
 public:
  base::Monotonic now() const override { return base::Monotonic(std::chrono::seconds(seconds_)); }
  std::int64_t wall_ns() const override { return base::system_clock().wall_ns(); }
  void advance(int seconds) { seconds_ += seconds; }

 private:
  std::atomic<int> seconds_{1};
};

// Fails operations of one kind from the n-th on, with one errno, while armed.
class Faults {
 public:
  FileFault hook() {
    return [this](FileOperation operation, std::string_view) {
      if (!armed_ || operation != kind_) return 0;
      return seen_++ < after_ ? 0 : errnum_.load();
    };
  }
  void arm(FileOperation kind, int errnum, int after = 0) {
    kind_ = kind;
    errnum_ = errnum;
    after_ = after;
    seen_ = 0;
    armed_ = true;
  }
  void disarm() { armed_ = false; }
  bool fired() const { return seen_ > after_; }

 private:
  std::atomic<bool> armed_{false};
  std::atomic<FileOperation> kind_{FileOperation::append};
  std::atomic<int> errnum_{0}, after_{0}, seen_{0};
};

class IndexFailure : public ::testing::Test {
 protected:
  Status open() {
    IndexSettings settings;
    settings.dir = dir_.path();
    settings.clock = &clock_;
    settings.fault = faults_.hook();
    auto opened = open_index(settings);
    if (!opened.ok()) return opened.error();
    index_ = *std::move(opened);
    return {};
  }
  void SetUp() override { ASSERT_TRUE(open().ok()); }
  // Each test ends with an index that opens and holds what was accepted.
  void TearDown() override {
    faults_.disarm();
    index_.reset();
    ASSERT_TRUE(open().ok());
    check_accepted();
  }

  Status put(std::string_view key, std::string_view value, bool durable = false) {
    IndexBatch batch;
    batch.put(Keyspace::objects, key, value);
    Status status = index_->write(std::move(batch), durable);
    if (status.ok()) accepted_[std::string(key)] = value;
    return status;
  }
  void check_accepted() {
    for (const auto& [key, value] : accepted_) {
      const auto got = index_->get(Keyspace::objects, key);
      ASSERT_TRUE(got.ok()) << got.error().message;
      ASSERT_EQ(*got, value) << key;
    }
  }
  std::string code_of(const Status& status) {
    return status.ok() ? "ok" : std::string(to_string(status.error().code));
  }

  lazyvol::testing::TempDir dir_;
  ManualClock clock_;
  Faults faults_;
  std::map<std::string, std::string> accepted_;
  std::unique_ptr<Index> index_;
};

TEST_F(IndexFailure, AFailedAppendStopsWritesAndNotReads) {
  ASSERT_TRUE(put("a", "1").ok());
  faults_.arm(FileOperation::append, EIO);
  EXPECT_EQ(code_of(put("b", "2")), "io_error");
  EXPECT_EQ(code_of(put("c", "3")), "io_error");
  EXPECT_EQ(*index_->get(Keyspace::objects, "a"), "1");
  EXPECT_EQ(*index_->get(Keyspace::objects, "b"), std::nullopt);
}

TEST_F(IndexFailure, AFailedSyncIsNotTakenForSuccess) {
  faults_.arm(FileOperation::sync, EIO);
  EXPECT_EQ(code_of(put("a", "1", true)), "io_error");
  EXPECT_EQ(code_of(put("b", "2", false)), "io_error");
}

TEST_F(IndexFailure, RecoversWhenTheDiskDoesAndNotBeforeItIsTime) {
  ASSERT_TRUE(put("a", "1").ok());
  faults_.arm(FileOperation::append, EIO);
  EXPECT_EQ(code_of(put("b", "2")), "io_error");
  faults_.disarm();
  EXPECT_EQ(code_of(put("b", "2")), "io_error") << "too early to try again";
  clock_.advance(6);
  EXPECT_EQ(code_of(put("b", "2")), "ok");
  check_accepted();
}

TEST_F(IndexFailure, WhatCannotBeReopenedIsClosedUntilItCan) {
  ASSERT_TRUE(put("a", "1").ok());
  faults_.arm(FileOperation::append, EIO);
  EXPECT_EQ(code_of(put("b", "2")), "io_error");
  clock_.advance(6);
  EXPECT_EQ(code_of(put("b", "2")), "io_error");
  EXPECT_EQ(*index_->get(Keyspace::objects, "a"), "1") << "not closed while the disk refuses";
  faults_.arm(FileOperation::rename, EIO);
  clock_.advance(6);
  EXPECT_EQ(code_of(put("b", "2")), "io_error") << "opening renames a file, and cannot";
  EXPECT_EQ(index_->get(Keyspace::objects, "a").error().code, Code::io_error);
  EXPECT_EQ(index_->get_at_or_before(Keyspace::objects, "a", "").error().code, Code::io_error);
  EXPECT_EQ(index_->scan(Keyspace::objects, "", [](auto, auto) { return true; }).error().code,
            Code::io_error);
  faults_.disarm();
  clock_.advance(6);
  EXPECT_EQ(code_of(put("c", "3")), "ok");
  check_accepted();
}

TEST_F(IndexFailure, UnreadableBlocksAreErrorsNotAbsence) {
  for (int n = 0; n < 3'000; ++n) {
    ASSERT_TRUE(put(std::to_string(n), lazyvol::testing::noise(4'000, n)).ok());
  }
  index_.reset();
  ASSERT_TRUE(open().ok());
  faults_.arm(FileOperation::read, EIO);
  int errors = 0;
  for (const auto& [key, value] : accepted_) {
    const auto got = index_->get(Keyspace::objects, key);
    if (got.ok()) {
      ASSERT_EQ(*got, value);
    } else {
      ASSERT_EQ(got.error().code, Code::io_error);
      ++errors;
    }
  }
  EXPECT_GT(errors, 0);
}

TEST_F(IndexFailure, ADiskThatCannotBeReadAtTheStartIsNotTakenForDamage) {
  for (int n = 0; n < 1'000; ++n) {
    ASSERT_TRUE(put(std::to_string(n), lazyvol::testing::noise(10'000, n)).ok());
  }
  index_.reset();
  for (const int after : {0, 1, 2, 3, 5, 8, 12}) {
    faults_.arm(FileOperation::read, EIO, after);
    const Status opened = open();
    faults_.disarm();
    EXPECT_TRUE(opened.ok() || opened.error().code == Code::io_error);
    index_.reset();
    ASSERT_TRUE(open().ok());
    ASSERT_NO_FATAL_FAILURE(check_accepted()) << "after " << after;
    index_.reset();
  }
}

// Every kind of operation, failing early and late, with work heavy enough for flushes and
// compactions in the background. RocksDB's assertions must stay silent (one would end this
// program).
struct FaultCase {
  FileOperation kind;
  int errnum;
};

class IndexFaultMatrix : public IndexFailure, public ::testing::WithParamInterface<FaultCase> {};

TEST_P(IndexFaultMatrix, NothingAbortsAndWhatWasAcceptedIsThere) {
  const std::string value = lazyvol::testing::noise(20'000, 1);
  std::mt19937 random(1);
  for (const int after : {0, 5, 60, 400}) {
    faults_.arm(GetParam().kind, GetParam().errnum, after);
    for (int n = 0; n < 300; ++n) {
      const std::string key = std::to_string(random() % 700);
      if (!put(key, value.substr(0, 10'000 + random() % 10'000), n % 16 == 0).ok()) {
        accepted_.erase(key);  // may or may not have reached the log
        clock_.advance(1);
      }
    }
    faults_.disarm();
    clock_.advance(6);
    for (int tries = 0; tries < 3 && !put("alive", "yes").ok(); ++tries) clock_.advance(6);
    ASSERT_EQ(*index_->get(Keyspace::objects, "alive"), "yes") << "after " << after;
    ASSERT_NO_FATAL_FAILURE(check_accepted());
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, IndexFaultMatrix,
                         ::testing::Values(FaultCase{FileOperation::append, EIO},
                                           FaultCase{FileOperation::sync, EIO},
                                           FaultCase{FileOperation::create, EIO},
                                           FaultCase{FileOperation::rename, EIO},
                                           FaultCase{FileOperation::append, ENOSPC},
                                           FaultCase{FileOperation::create, ENOSPC},
                                           FaultCase{FileOperation::sync, ENOSPC}));

}  // namespace
}  // namespace lazyvol::cache
