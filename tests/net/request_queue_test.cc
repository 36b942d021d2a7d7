#include "net/request_queue.h"

#include <gtest/gtest.h>

namespace lazyvol::net {
namespace {

using namespace std::chrono_literals;
using base::Monotonic;

const Origin kA{"https", "a", 443}, kB{"https", "b", 443};

class RequestQueueTest : public ::testing::Test {
 protected:
  void push(RequestQueue& queue, Priority priority, const Origin& origin = kA,
            bool shareable = false) {
    auto request = std::make_unique<PendingRequest>();
    request->id = ++last_id_;
    request->target.origin = origin;
    request->shareable = shareable;
    request->request.context.priority = priority;
    request->request.context.no_progress = 10s;
    request->queued_at = at_;
    queue.push(std::move(request));
  }
  /// Pops all that is admitted and gives the ids.
  std::vector<std::uint64_t> pop_all(RequestQueue& queue) {
    std::vector<std::uint64_t> ids;
    while (auto request = queue.pop()) {
      ids.push_back(request->id);
      popped_.push_back(std::move(request));
    }
    return ids;
  }

  std::uint64_t last_id_ = 0;
  Monotonic at_ = Monotonic{} + 1000s;
  std::vector<std::unique_ptr<PendingRequest>> popped_;
};

using Ids = std::vector<std::uint64_t>;

TEST(ConnectionShare, KeepsSomeForReaders) {
  const struct {
    std::uint32_t limit, reader, readahead, hydrate;
  } table[] = {{1, 1, 1, 1}, {2, 2, 1, 1}, {4, 4, 3, 3}, {8, 8, 7, 6}, {16, 16, 14, 12}};
  for (const auto& row : table) {
    EXPECT_EQ(connection_share(Priority::reader, row.limit), row.reader);
    EXPECT_EQ(connection_share(Priority::metadata, row.limit), row.reader);
    EXPECT_EQ(connection_share(Priority::readahead, row.limit), row.readahead);
    EXPECT_EQ(connection_share(Priority::sibling, row.limit), row.hydrate);
    EXPECT_EQ(connection_share(Priority::hydrate, row.limit), row.hydrate);
  }
}

TEST_F(RequestQueueTest, OrdersByPriorityThenAge) {
  RequestQueue queue(100, 100);
  push(queue, Priority::hydrate);     // 1
  push(queue, Priority::reader);      // 2
  push(queue, Priority::readahead);   // 3
  push(queue, Priority::reader, kB);  // 4
  push(queue, Priority::metadata);    // 5
  EXPECT_EQ(queue.waiting(), 5U);
  EXPECT_EQ(pop_all(queue), (Ids{2, 4, 3, 5, 1}));
  EXPECT_EQ(queue.waiting(), 0U);
  EXPECT_EQ(queue.under_way(), 5U);
}

TEST_F(RequestQueueTest, AReaderFindsAConnectionBesideHydration) {
  RequestQueue queue(4, 100);
  for (int i = 0; i < 10; ++i) push(queue, Priority::hydrate);
  EXPECT_EQ(pop_all(queue), (Ids{1, 2, 3}));
  push(queue, Priority::reader);  // 11
  push(queue, Priority::reader);  // 12
  EXPECT_EQ(pop_all(queue), (Ids{11}));
  queue.release(*popped_[0]);
  EXPECT_EQ(pop_all(queue), (Ids{12})) << "before hydration that waits longer";
  queue.release(*popped_[1]);
  EXPECT_EQ(pop_all(queue), (Ids{})) << "three are in use, the fourth is kept free";
  queue.release(*popped_[2]);
  EXPECT_EQ(pop_all(queue), (Ids{4}));
}

TEST_F(RequestQueueTest, LimitsHostsAndTheTotal) {
  RequestQueue queue(2, 3);
  for (int i = 0; i < 3; ++i) push(queue, Priority::reader, kA);
  for (int i = 0; i < 3; ++i) push(queue, Priority::reader, kB);
  EXPECT_EQ(pop_all(queue), (Ids{1, 2, 4})) << "two of a, and the third of all is b's";
  queue.release(*popped_[0]);
  EXPECT_EQ(pop_all(queue), (Ids{3}));
  queue.release(*popped_[2]);
  EXPECT_EQ(pop_all(queue), (Ids{5}));
}

TEST_F(RequestQueueTest, AnHttp2HostNeedsOneConnectionForManyRequests) {
  RequestQueue queue(2, 100);
  for (int i = 0; i < 70; ++i) push(queue, Priority::reader, kA, true);
  EXPECT_EQ(pop_all(queue).size(), 2U) << "not known yet: each may need one";
  queue.note_http2(kA, true);
  EXPECT_EQ(pop_all(queue).size(), RequestQueue::kStreamsPerHost - 2);
  push(queue, Priority::reader, kA);
  push(queue, Priority::reader, kA);
  EXPECT_EQ(pop_all(queue).size(), 1U) << "bulk has one connection left beside the shared one";
  for (const auto& request : popped_) queue.release(*request);
  popped_.clear();
  pop_all(queue);
  for (const auto& request : popped_) queue.release(*request);
  EXPECT_EQ(queue.under_way(), 0U);
}

TEST_F(RequestQueueTest, RemovesAWaitingOne) {
  RequestQueue queue(1, 1);
  push(queue, Priority::reader);
  push(queue, Priority::reader);
  EXPECT_EQ(pop_all(queue), (Ids{1}));
  EXPECT_EQ(queue.remove(1), nullptr) << "under way";
  ASSERT_NE(queue.remove(2), nullptr);
  EXPECT_EQ(queue.remove(2), nullptr);
  queue.release(*popped_[0]);
  EXPECT_EQ(queue.pop(), nullptr);
}

TEST_F(RequestQueueTest, WaitingExpiresOnlyWhileTheServerIsSilent) {
  RequestQueue queue(1, 100);
  push(queue, Priority::reader);
  push(queue, Priority::reader);
  pop_all(queue);
  EXPECT_EQ(queue.next_expiry(), at_ + 10s);
  queue.note_progress(kA, at_ + 5s);
  EXPECT_TRUE(queue.take_expired(at_ + 14s).empty()) << "slow is not dead";
  EXPECT_EQ(queue.next_expiry(), at_ + 15s);
  const auto expired = queue.take_expired(at_ + 15s);
  ASSERT_EQ(expired.size(), 1U);
  EXPECT_EQ(expired[0]->id, 2U);
  EXPECT_EQ(queue.next_expiry(), Monotonic::max());
}

TEST_F(RequestQueueTest, NoTimeoutMeansForever) {
  RequestQueue queue(1, 1);
  push(queue, Priority::reader);
  auto request = std::make_unique<PendingRequest>();
  request->id = 99;
  request->target.origin = kA;
  request->queued_at = at_;
  request->request.context.no_progress = std::chrono::milliseconds::max();
  pop_all(queue);
  queue.push(std::move(request));
  EXPECT_EQ(queue.next_expiry(), Monotonic::max());
  EXPECT_TRUE(queue.take_expired(at_ + 24h).empty());
}

}  // namespace
}  // namespace lazyvol::net
