// Golden files: what is written down in tests/daemon/golden is what users may rely on.
#pragma once

#include <string>

namespace lazyvol::daemon {

/// Compares `actual` with golden/`name`; with LAZYVOL_UPDATE_GOLDEN=1 in the environment writes it
/// instead. Reports a difference as a test failure.
void expect_golden(const std::string& name, const std::string& actual);

}  // namespace lazyvol::daemon
