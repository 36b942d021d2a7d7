#include "fetch/frame_read.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

namespace lazyvol::fetch {
namespace {

/// Holes are given in parts of this.
constexpr std::array<std::byte, 64 * 1024> kZeros{};

}  // namespace

FrameRead::FrameRead(std::shared_ptr<FrameStore> store,
                     std::shared_ptr<const FrameSource::File> file, ReadRequest request,
                     std::shared_ptr<ReadSink> sink, RequestContext ctx)
    : store_(std::move(store)),
      file_(std::move(file)),
      request_(std::move(request)),
      length_(std::min(request_.length, file_->size - std::min(request_.offset, file_->size))),
      their_stop_(ctx.stop),
      sink_(std::move(sink)),
      ctx_(std::move(ctx)) {
  ctx_.stop = stop_.get_token();
}

void FrameRead::start() {
  on_stop_.emplace(their_stop_, std::function<void()>([weak = weak_from_this()] {
                     if (const auto self = weak.lock()) {
                       self->fail(Error{Code::cancelled, "cancelled"});
                     }
                   }));
  give();
  find_extents(*store_, file_->content, file_->size, request_.offset, request_.offset + length_,
               ctx_, [self = shared_from_this()](Result<std::vector<FileExtent>> extents) {
                 self->found(std::move(extents));
               });
}

void FrameRead::found(Result<std::vector<FileExtent>> extents) {
  if (!extents.ok()) return fail(std::move(extents).error());
  std::vector<catalog::FrameRef> frames;
  RequestContext ctx = ctx_;
  {
    auto state = state_.lock();
    if (state->ended) return;
    ctx.priority = std::min(ctx.priority, state->urgency);
    std::map<catalog::FrameRef, std::size_t> numbers;
    for (FileExtent& extent : *extents) {
      Part part{std::move(extent), 0};
      if (part.extent.kind == FileExtent::Kind::piece) {
        const auto [place, fresh] =
            numbers.emplace(part.extent.frame, static_cast<std::size_t>(numbers.size()));
        if (fresh) {
          frames.push_back(part.extent.frame);
          state->frames.push_back(Frame{.ref = part.extent.frame, .bytes = nullptr});
        }
        part.frame = place->second;
        state->frames[part.frame].last_part = state->parts.size();
        state->frames[part.frame].used += part.extent.length;
      }
      state->parts.push_back(std::move(part));
    }
    state->known = true;
  }
  if (frames.size() > 1) store_->want(frames, FrameUse::part, ctx, nullptr);
  for (std::size_t i = 0; i < frames.size(); ++i) {
    store_->get(frames[i], FrameUse::part, ctx,
                [self = shared_from_this(), i](Result<FrameBytes> bytes) {
                  self->came(i, std::move(bytes));
                });
  }
  give();
}

void FrameRead::came(std::size_t frame, Result<FrameBytes> bytes) {
  if (!bytes.ok()) return fail(std::move(bytes).error());
  {
    auto state = state_.lock();
    if (state->ended) return;
    state->frames[frame].bytes = *std::move(bytes);
  }
  give();
}

void FrameRead::fail(Error error) {
  {
    auto state = state_.lock();
    if (!state->error) state->error = std::move(error);
  }
  give();
}

void FrameRead::resume() {
  {
    auto state = state_.lock();
    state->resumed = state->giving;
    state->paused = false;
  }
  give();
}

/// Asks once more, as urgently as that, for the frames that have not come. Those that are not known
/// yet are asked for by found().
void FrameRead::hurry(Priority priority) {
  std::vector<catalog::FrameRef> frames;
  RequestContext ctx = ctx_;
  ctx.priority = priority;
  {
    auto state = state_.lock();
    if (state->ended) return;
    state->urgency = std::min(state->urgency, priority);
    for (const Frame& frame : state->frames) {
      const bool given = state->next > frame.last_part;
      if (!frame.bytes && !given) frames.push_back(frame.ref);
    }
  }
  if (!frames.empty()) store_->want(std::move(frames), FrameUse::part, std::move(ctx), nullptr);
}

/// Brings the sink what there is, as long as there is anything.
void FrameRead::give() {
  for (;;) {
    std::optional<Step> step;
    {
      auto state = state_.lock();
      step = next_step(*state);
      if (!step) return;
    }
    if (step->end) {
      const auto sink = std::exchange(sink_, nullptr);
      stop_.request_stop();  // what was asked for and is not needed any more
      return sink->on_done(*std::move(step->end));
    }
    const Flow flow =
        step->start ? sink_->on_start({request_.validator, request_.offset, length_, file_->size})
                    : sink_->on_data(step->data);
    std::optional<catalog::FrameRef> used_up;
    {
      auto state = state_.lock();
      used_up = after(*state, *step, flow);
    }
    // Read to its end: nobody will come back to it, for the blocks made of it are kept.
    if (used_up) store_->used_up(*used_up, FrameUse::part);
  }
}

std::optional<FrameRead::Step> FrameRead::next_step(State& state) const {
  if (state.ended || state.giving) return std::nullopt;
  Step step;
  if (state.error) {
    step.end = Status(*state.error);
  } else if (state.paused) {
    return std::nullopt;
  } else if (!state.begun) {
    step.start = state.begun = true;
  } else if (!state.known) {
    return std::nullopt;
  } else if (state.next == state.parts.size()) {
    step.end = Status();
  } else {
    const Part& part = state.parts[state.next];
    const std::uint64_t left = part.extent.length - state.given;
    if (part.extent.kind == FileExtent::Kind::piece) {
      step.bytes = state.frames[part.frame].bytes;
      if (!step.bytes) return std::nullopt;
      step.data = std::as_bytes(std::span(*step.bytes)).subspan(part.extent.offset, left);
    } else if (part.extent.kind == FileExtent::Kind::inlined) {
      const auto& bytes = std::get<catalog::InlineContent>(file_->content).bytes;
      step.data = std::as_bytes(std::span(bytes)).subspan(part.extent.offset, left);
    } else {
      step.data = std::span(kZeros).first(std::min<std::uint64_t>(kZeros.size(), left));
    }
  }
  state.ended = step.end.has_value();
  state.giving = !state.ended;
  return step;
}

/// Answers with a frame that was given to its end.
std::optional<catalog::FrameRef> FrameRead::after(State& state, const Step& step, Flow flow) const {
  std::optional<catalog::FrameRef> used_up;
  state.giving = false;
  if (!step.start) {
    const Part& part = state.parts[state.next];
    state.given += step.data.size();
    if (state.given == part.extent.length) {
      if (step.bytes && state.frames[part.frame].last_part == state.next) {
        Frame& frame = state.frames[part.frame];
        if (frame.used == frame.ref.raw) used_up = frame.ref;
        frame.bytes = nullptr;
      }
      ++state.next;
      state.given = 0;
    }
  }
  const bool resumed = std::exchange(state.resumed, false);
  if (flow == Flow::pause && !resumed) state.paused = true;
  if (flow == Flow::abort && !state.error) state.error = Error{Code::cancelled, "given up"};
  return used_up;
}

}  // namespace lazyvol::fetch
