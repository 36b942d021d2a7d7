// Command lines run in-process.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

#include "daemon/cli.h"

namespace lazyvol::daemon {

using Words = std::vector<std::string>;
using Main = int (*)(const Words&, Console);

struct Ran {
  int status = 0;
  std::string out, err;
};

inline Ran run(Main main, const Words& words) {
  std::ostringstream out, err;
  Ran ran;
  ran.status = main(words, Console{out, err, false});
  ran.out = out.str();
  ran.err = err.str();
  return ran;
}

inline void expect_one_line(const std::string& text) {
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1) << text;
  EXPECT_TRUE(text.ends_with("\n")) << text;
}

}  // namespace lazyvol::daemon
