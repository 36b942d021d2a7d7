// One read of a FrameSource: frames, in whatever order they come, become bytes in order.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <vector>

#include "base/locked.h"
#include "fetch/file_extents.h"
#include "fetch/frame_source.h"
#include "fetch/frame_store.h"
#include "lazyvol/source.h"

namespace lazyvol::fetch {

/// Thread-safe: frames come on any thread; one thread at a time gives bytes to the sink, and no
/// lock is held meanwhile. Holds the frames that came before their turn, at most those of the
/// range: the reader has set memory aside for these bytes and has not filled it yet.
class FrameRead final : public Transfer, public std::enable_shared_from_this<FrameRead> {
 public:
  FrameRead(std::shared_ptr<FrameStore> store, std::shared_ptr<const FrameSource::File> file,
            ReadRequest request, std::shared_ptr<ReadSink> sink, RequestContext ctx);

  void start();
  void resume() override;
  void hurry(Priority priority) override;

 private:
  struct Part {
    FileExtent extent;
    std::size_t frame = 0;  ///< its number, for a piece
  };
  struct Frame {
    catalog::FrameRef ref;
    FrameBytes bytes;           ///< from when it came until its last part was given
    std::size_t last_part = 0;  ///< that is made of it
    std::uint64_t used = 0;     ///< bytes of it that this read is made of
  };
  struct State {
    std::vector<Part> parts;
    std::vector<Frame> frames;
    std::size_t next = 0;                  ///< part to give
    std::uint64_t given = 0;               ///< of it
    bool begun = false;                    ///< the sink has heard of the start
    bool known = false;                    ///< parts and frames are
    Priority urgency = Priority::hydrate;  ///< of those who have hurried it
    bool giving = false;                   ///< a thread is with the sink
    bool paused = false;                   ///< by the sink
    bool resumed = false;                  ///< while the sink was deciding to pause
    bool ended = false;
    std::optional<Error> error;  ///< ends it as soon as nobody is with the sink
  };
  /// What a thread takes to the sink, or the end.
  struct Step {
    std::span<const std::byte> data;
    FrameBytes bytes;  ///< keeps `data`
    bool start = false;
    std::optional<Status> end;
  };

  void found(Result<std::vector<FileExtent>> extents);
  void came(std::size_t frame, Result<FrameBytes> bytes);
  void fail(Error error);
  void give();
  std::optional<Step> next_step(State& state) const;
  std::optional<catalog::FrameRef> after(State& state, const Step& step, Flow flow) const;

  // constant
  const std::shared_ptr<FrameStore> store_;
  const std::shared_ptr<const FrameSource::File> file_;
  const ReadRequest request_;
  const std::uint64_t length_;  ///< that the file has of it
  const std::stop_token their_stop_;
  // self-synchronised
  std::stop_source stop_;  ///< ours: ends what waits for frames
  base::Locked<State> state_;
  // touched by the one thread that gives, or ends
  std::shared_ptr<ReadSink> sink_;
  // set once, by start()
  RequestContext ctx_;
  std::optional<std::stop_callback<std::function<void()>>> on_stop_;
};

}  // namespace lazyvol::fetch
