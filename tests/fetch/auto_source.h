// A source that serves by itself, from one thread as curl does, with scripted faults.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "lazyvol/source.h"

namespace lazyvol::fetch::testing {

class AutoSource final : public Source {
 public:
  /// What happens to one read.
  struct Behaviour {
    std::optional<Error> refuse{};                ///< instead of a start
    std::uint64_t cut_after = ~std::uint64_t{0};  ///< bytes, then `cut_with`
    Error cut_with{Code::io_error, "connection broken"};
    bool whole = false;                             ///< ignores the range
    bool black_hole = false;                        ///< nothing comes until it is stopped
    bool inline_answer = false;                     ///< all of it within read()
    std::uint64_t flip = ~std::uint64_t{0};         ///< offset of a byte that comes inverted
    std::uint64_t object_size = ~std::uint64_t{0};  ///< the object ends here
    std::size_t chunk = 16 * 1024;
  };
  /// Called for every read, under the source's lock. Set before use.
  std::function<Behaviour(const ReadRequest&)> script;

  AutoSource();
  ~AutoSource() override;
  /// What was not put is answered with not_found.
  void put(const std::string& path, std::string bytes);
  std::vector<ReadRequest> reads();

  SourceTraits traits() const override { return {"auto", "auto://test"}; }
  void list(std::string, std::string, RequestContext, ListDone done) override;
  void stat(std::string, RequestContext, StatDone done) override;
  std::shared_ptr<Transfer> read(ReadRequest request, std::shared_ptr<ReadSink> sink,
                                 RequestContext ctx) override;

 private:
  class Read;
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, std::shared_ptr<const std::string>> files_;
  std::deque<std::shared_ptr<Read>> reads_;
  std::vector<ReadRequest> asked_;
  bool closing_ = false;
  std::thread thread_;
};

}  // namespace lazyvol::fetch::testing
