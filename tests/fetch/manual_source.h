// A source that a test drives by hand: every read waits until the test starts, feeds and ends it.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "lazyvol/source.h"

namespace lazyvol::fetch::testing {

class ManualSource final : public Source {
 public:
  class Read final : public Transfer, public std::enable_shared_from_this<Read> {
   public:
    Read(ReadRequest r, std::shared_ptr<ReadSink> sink, RequestContext c,
         std::shared_ptr<const std::string> bytes);

    const ReadRequest request;
    const RequestContext context;

    /// Announces the range asked for; or what the test says.
    Flow start();
    Flow start(const ReadStart& start);
    /// Feeds the next bytes in one call.
    Flow send(std::uint64_t bytes);
    /// start(), all bytes, done().
    void serve();
    void done(Status status = {});
    /// Says that it is getting on.
    void progress();
    bool stopped() const { return context.stop.stop_requested(); }
    bool ended() const;
    /// Waits until resume() was called `count` times in all.
    void await_resumes(int count);
    void resume() override;
    void hurry(Priority priority) override { urgency_ = std::min(urgency_.load(), priority); }
    Priority urgency() const { return urgency_; }

   private:
    mutable std::recursive_mutex mutex_;  // the sink is called one call at a time
    std::condition_variable_any changed_;
    std::shared_ptr<ReadSink> sink_;                  // null once ended
    const std::shared_ptr<const std::string> bytes_;  // of the whole object
    std::uint64_t position_ = 0;
    int resumes_ = 0;
    std::atomic<Priority> urgency_{context.priority};
  };

  ManualSource();
  ~ManualSource() override;

  void put(const std::string& path, std::string bytes);
  /// The oldest read that no one took yet; waits for it, fails the test after a generous while.
  std::shared_ptr<Read> next();
  /// True when no read waits to be taken.
  bool none() const;
  std::size_t reads() const;

  SourceTraits traits() const override { return {"manual", "manual://test"}; }
  void list(std::string, std::string, RequestContext, ListDone done) override;
  void stat(std::string, RequestContext, StatDone done) override;
  std::shared_ptr<Transfer> read(ReadRequest request, std::shared_ptr<ReadSink> sink,
                                 RequestContext ctx) override;

 private:
  void end_stopped();

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, std::shared_ptr<const std::string>> files_;
  std::deque<std::shared_ptr<Read>> waiting_;
  std::vector<std::shared_ptr<Read>> all_;
  bool closing_ = false;
  std::thread canceller_;  // answers reads whose context was stopped
};

}  // namespace lazyvol::fetch::testing
