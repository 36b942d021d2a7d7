#include "fetch/transfer_pace.h"

#include <algorithm>

namespace lazyvol::fetch {
namespace {

constexpr double kWeight = 1.0 / 8;  // of the latest one
constexpr double kLongest = 600;

}  // namespace

void TransferPace::note(std::uint64_t bytes, std::chrono::nanoseconds took) {
  const double seconds = std::chrono::duration<double>(took).count();
  const auto mean = [](double& of, double latest) {
    of = of == 0 ? latest : of + kWeight * (latest - of);
  };
  mean(seconds_, std::max(seconds, 1e-6));
  mean(bytes_, static_cast<double>(std::max<std::uint64_t>(bytes, 1)));
}

std::chrono::milliseconds TransferPace::patience(std::uint64_t bytes) const {
  if (seconds_ == 0) return kFirstPatience;
  const double size = std::max(1.0, static_cast<double>(bytes) / bytes_);
  const double late = std::min(kLate * seconds_ * size, kLongest);
  return std::max(kLeastPatience, std::chrono::ceil<std::chrono::milliseconds>(
                                      std::chrono::duration<double>(late)));
}

}  // namespace lazyvol::fetch
