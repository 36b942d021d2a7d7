// What a Source is given to call back.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "lazyvol/error.h"
#include "volume/activity.h"

namespace lazyvol::volume {

/// Passes the one answer on to `done`. A source may keep its copies for as long as it likes, so
/// they are empty once the answer was given: the volume holds the source, and what they held on to
/// would end on a thread of the source's own, which cannot join itself. `token` goes after all
/// else, so that Activity::wait() waits for that, too.
template <class T>
std::function<void(Result<T>)> source_callback(std::shared_ptr<Activity::Token> token,
                                               std::function<void(Result<T>)> done) {
  struct Held {  // destroyed from the last member to the first
    std::shared_ptr<Activity::Token> token;
    std::function<void(Result<T>)> done;
  };
  auto held =
      std::make_shared<std::optional<Held>>(std::in_place, std::move(token), std::move(done));
  return [held](Result<T> answer) {
    const auto once = std::exchange(*held, std::nullopt);
    if (once) once->done(std::move(answer));
  };
}

}  // namespace lazyvol::volume
